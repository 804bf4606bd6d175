// Here: what follows when a batch is committed. Who is told of which failure, and
// what a row that was not found means.

package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// afterwards settles the endings of a committed batch.
func (l *loop) afterwards(ctx context.Context, rec *record) {
	done := 0
	var missing []*ending // their claims did not hold when the batch came
	for f, group := range rec.groups {
		if fate(f) == completed {
			if rec.completed == int64(len(group)) {
				done += len(group)
			} else {
				missing = append(missing, group...)
			}
			continue
		}
		for _, e := range group {
			at, held := rec.found[e.claim.id]
			switch {
			case held && e.fate == settled:
				l.slots.again(e.unsettled(l.run))
			case held:
				done++
				l.tell(e, at)
			case e.fate == settled && e.err == nil, e.fate == failed && e.unsure,
				e.fate == returned && e.unsure:
				done++ // by the handler's transaction, or by a batch whose reply was lost
				l.tell(e, at)
			default:
				missing = append(missing, e)
			}
		}
	}
	done += l.lookFor(ctx, missing)
	l.slots.done(done)
}

// unsettled is what becomes of an attempt whose handler completed it in a
// transaction that did not commit: a failure.
func (e *ending) unsettled(r *run) *ending {
	err := e.err
	if err == nil {
		err = errNotCommitted
	}
	failure := &ending{attempt: e.attempt, stack: e.stack}
	failure.claim.completing.Store(false)
	r.judge(failure, nil, err)
	return failure
}

const endedSQL = `-- queue.ended
SELECT id FROM finished_jobs
 WHERE id = ANY ($1) AND (id, token) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))
UNION ALL
SELECT id FROM dead_jobs
 WHERE id = ANY ($1) AND (id, token) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))`

// lookFor finds out what became of endings whose claims did not hold: they are in
// the history under their token, recorded before, or they were lost. It returns how
// many are dealt with.
func (l *loop) lookFor(ctx context.Context, missing []*ending) int {
	if len(missing) == 0 {
		return 0
	}
	ids, tokens := make([]int64, len(missing)), make([]int64, len(missing))
	for i, e := range missing {
		ids[i], tokens[i] = e.claim.id, e.claim.token
	}
	rows, _ := l.conn.Query(ctx, endedSQL, ids, tokens) // CollectRows returns its error
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		l.report(fmt.Errorf("queue: look for jobs that ended: %w", err))
		l.slots.again(missing...) // the next batch comes here again
		return 0
	}
	ended := make(map[int64]bool, len(found))
	for _, id := range found {
		ended[id] = true
	}
	for _, e := range missing {
		if ended[e.claim.id] {
			l.tell(e, e.job.ClaimedAt)
			continue
		}
		l.report(&JobError{Job: e.job, Err: fmt.Errorf("%w: job %d", ErrLost, e.job.ID)})
	}
	return len(missing)
}

// tell reports a failure that is on record. at is the next run, or when it ended.
func (l *loop) tell(e *ending, at time.Time) {
	job := *e.job
	switch e.fate {
	case failed:
		job.State, job.RunAt = StateQueued, at
	case dead:
		job.State, job.FinishedAt = StateDead, at
	case discarded:
		job.State, job.FinishedAt = StateDiscarded, at
	default:
		return
	}
	l.report(&JobError{Job: &job, Err: e.err, Stack: e.stack})
}
