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
func (l *loop) afterwards(ctx context.Context, rec record) {
	done := 0
	for _, g := range rec {
		if g.fate == completed && g.completed == int64(len(g.endings)) {
			done += len(g.endings)
			for _, e := range g.endings {
				e.free()
			}
			continue
		}
		settled, missing := l.settle(g)
		done += settled + l.lookFor(ctx, g.token, missing)
	}
	l.slots.done(done)
}

// settle tells of those of g that were found held. It returns how many are dealt with,
// and those whose claim did not hold when the batch came.
func (l *loop) settle(g *group) (done int, missing []*ending) {
	for _, e := range g.endings {
		at, held := g.found[e.claim.id]
		switch {
		case held && e.fate == settled:
			l.slots.again(e.unsettled())
		case held:
			done++
			l.tell(e, at)
			if e.fate == returned && e.wait == nil { // with its run_at, behind the cursor
				l.lanes.put(e.job.Queue, e.job.ID)
			}
		case e.fate == settled && e.err == nil:
			done++ // the handler's transaction committed, as it said
		default:
			missing = append(missing, e)
		}
	}
	return done, missing
}

// unsettled is what becomes of an attempt whose handler completed it in a
// transaction that did not commit: a failure.
func (e *ending) unsettled() *ending {
	err := e.err
	if err == nil {
		err = errNotCommitted
	}
	failure := &ending{attempt: e.attempt, cause: e.cause, stack: e.stack}
	failure.claim.completing.Store(false)
	failure.judge(err)
	return failure
}

// The third part finds what this worker had last and has put back, the fourth what it
// still has and did not put back since it was called off.
const endedSQL = `-- queue.ended
SELECT id, finished_at, false FROM finished_jobs` + held + `
UNION ALL
SELECT id, finished_at, false FROM dead_jobs` + held + `
UNION ALL
SELECT id, run_at, false FROM jobs
 WHERE id = ANY ($1) AND state = 'queued' AND worker = $3
UNION ALL
SELECT id, run_at, true FROM jobs` + held + ` AND cancelling`

// lookFor finds out what became of endings of a claim that did not hold. They are on
// record already, by a batch whose reply was lost or by a transaction of the
// handler's; or they were called off; or their claims were lost. It returns how many
// are dealt with.
func (l *loop) lookFor(ctx context.Context, token int64, missing []*ending) int {
	if len(missing) == 0 {
		return 0
	}
	ended, calledOff := make(map[int64]time.Time), make(map[int64]bool)
	var (
		id         int64
		at         time.Time
		cancelling bool
	)
	err := readCommitted(ctx, l.conn, func(batch *pgx.Batch) {
		batch.Queue(endedSQL, idsOf(missing), token, l.id.Load()).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&id, &at, &cancelling}, func() error {
				if ended[id] = at; cancelling {
					calledOff[id] = true
				}
				return nil
			})
			return err
		})
	})
	if err != nil {
		l.report(fmt.Errorf("queue: look for jobs that ended: %w", err))
		l.slots.again(missing...) // the next batch comes here again
		return 0
	}
	done := 0
	for _, e := range missing {
		at, found := ended[e.claim.id]
		switch {
		case calledOff[e.claim.id]:
			l.slots.again(&ending{attempt: e.attempt, fate: cancelled})
			continue
		case found:
			l.tell(e, at)
		default:
			l.report(&JobError{Job: &e.job, Err: fmt.Errorf("%w: job %d", ErrLost, e.job.ID)})
		}
		done++
	}
	return done
}

// tell reports a failure that is on record. at is the next run, or when it ended.
func (l *loop) tell(e *ending, at time.Time) {
	if e.panicked != nil {
		l.report(e.panicked)
	}
	job := e.job
	switch e.fate {
	case failed:
		job.State, job.RunAt = StateQueued, at
	case dead:
		job.State, job.FinishedAt = StateDead, at
	case discarded:
		job.State, job.FinishedAt = StateDiscarded, at
	case settled:
		if e.err == nil {
			return
		}
		job.State, job.FinishedAt = StateCompleted, at
	default:
		return
	}
	l.report(&JobError{Job: &job, Err: e.err, Stack: e.stack})
}
