// Here: endings that could not be recorded together. One row that the database
// refuses, or that somebody else has locked, must not hold up its neighbours.

package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	lockTimeoutCode      = "55P03"
	statementTimeoutCode = "57014"
)

// splittable says whether an error may be due to single rows of a batch.
func splittable(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(pgErr.Code) != 5 {
		return false
	}
	switch pgErr.Code[:2] {
	case "22", "23", "40", "54": // data, constraint, deadlock, limit
		return true
	}
	return pgErr.Code == lockTimeoutCode || pgErr.Code == statementTimeoutCode
}

// recordParts records endings that were refused together: by halves of halves,
// until those that are the matter stand alone and are set aside. It returns the
// first error that splitting does not help, with all that is left queued again.
func (l *loop) recordParts(ctx context.Context, endings []*ending) error {
	if len(endings) == 0 {
		return nil
	}
	_, err := l.send(ctx, endings, nil)
	if !splittable(err) {
		return err
	}
	if len(endings) == 1 {
		l.setAside(endings, err)
		return nil
	}
	if isLockTimeout(err) { // each half would wait as long again
		endings, err = l.setLockedAside(ctx, endings, err)
		if err != nil {
			return err
		}
	}
	half := len(endings) / 2
	if err := l.recordParts(ctx, endings[:half]); err != nil {
		l.slots.again(endings[half:]...)
		return err
	}
	return l.recordParts(ctx, endings[half:])
}

func isLockTimeout(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == lockTimeoutCode
}

// setAside keeps endings for the next poll.
func (l *loop) setAside(endings []*ending, why error) {
	for _, e := range endings {
		if !e.reported {
			e.reported = true
			l.report(fmt.Errorf("queue: the end of %s job %d waits to be recorded: %w",
				e.job.Kind, e.job.ID, why))
		}
	}
	l.slots.setAside(endings...)
}

// recordAside tries again what was set aside, but for rows that are still locked.
func (l *loop) recordAside(ctx context.Context) error {
	endings := l.slots.takeAside()
	if len(endings) == 0 {
		return nil
	}
	endings, err := l.setLockedAside(ctx, endings, nil)
	if err != nil {
		return err
	}
	return l.recordParts(ctx, endings)
}

const lockedSQL = `-- queue.locked
SELECT id FROM jobs
 WHERE id = ANY ($1)
   AND id <> ALL (ARRAY(SELECT id FROM jobs WHERE id = ANY ($1) FOR UPDATE SKIP LOCKED))`

// setLockedAside sets aside the endings whose rows somebody else has locked, and
// returns the others. After an error all are queued again.
func (l *loop) setLockedAside(
	ctx context.Context, endings []*ending, why error,
) (free []*ending, err error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	var found []int64
	err = readCommitted(ctx, l.conn, func(batch *pgx.Batch) {
		batch.Queue(lockedSQL, idsOf(endings)).Query(func(rows pgx.Rows) error {
			found, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			return err
		})
	})
	if err != nil {
		l.slots.again(endings...)
		return nil, err
	}
	isLocked := make(map[int64]bool, len(found))
	for _, id := range found {
		isLocked[id] = true
	}
	var locked []*ending
	for _, e := range endings {
		if isLocked[e.claim.id] {
			locked = append(locked, e)
		} else {
			free = append(free, e)
		}
	}
	l.setAside(locked, why)
	return free, nil
}
