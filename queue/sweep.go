// Here: what claims pass by. Behind the cursors a job appears whose transaction commits
// late, or which is given back, or whose worker dies. A sweep walks over all that was
// claimed before, so it has a connection of its own: while it takes its time, claims go
// on. It only reads, and the next claim takes by its id what it found.

package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// sweepLimit is how many jobs of each lane a sweep finds at most.
	sweepLimit = 4 * batchLimit

	// A sweep of the near past is followed by a pause of so many times what it took, and
	// one that begins where the lanes do by another before the next such: where dead
	// entries make them dear, all processes together give them a tenth and a fortieth of
	// a core. Elsewhere each sweep begins there.
	nearShare     = 10
	wholeShare    = 40
	shortestPause = 50 * time.Millisecond

	// nearPast is how long nearly all transactions are over that inserted something.
	nearPast = 10 * time.Second

	sweepTimeout = time.Minute
)

// sweep looks behind the cursors until ctx ends: after claims, and in a hurry where
// something is known to be there. Where nothing is claimed it looks once in a while, and
// beyond the cursors, too: so what comes due wakes a worker that is asleep.
func (r *run) sweep(ctx context.Context) {
	s := &sweeper{run: r}
	defer s.close()
	var pause time.Duration
	for {
		polls, goes := s.await(ctx, pause)
		if !goes {
			return
		}
		began := time.Now()
		whole := !began.Before(s.wholeDue)
		err := s.find(ctx, whole, polls)
		took, processes := time.Since(began), time.Duration(max(r.processes.Load(), 1))
		pause = shortestPause * processes
		if whole {
			s.wholeDue = time.Now().Add(wholeShare * took * processes)
		} else {
			pause = min(max(nearShare*took*processes, pause), longestPause)
		}
		if err != nil && ctx.Err() == nil {
			s.close()
			r.report(fmt.Errorf("queue: sweep: %w", err))
			pause, s.wholeDue = pollInterval, time.Time{}
			ring(r.slots.bell) // a claim finds at least what is beyond the cursors
		}
	}
}

// A sweeper is what sweep keeps from one to the next.
type sweeper struct {
	*run
	conn     *pgx.Conn // nil if it has to be made
	wholeDue time.Time // when one may begin where the lanes do
}

// await returns when it is time for a sweep: at the first claim after a pause, or, as a
// poll, some time later without one. It does not go on when ctx ends.
func (s *sweeper) await(ctx context.Context, pause time.Duration) (polls, goes bool) {
	rested, idle := time.NewTimer(pause), time.NewTimer(max(pause, jittered(pollInterval)))
	defer rested.Stop()
	defer idle.Stop()
	var claimed chan struct{}
	for {
		select {
		case <-ctx.Done():
			return false, false
		case <-s.lanes.hurry:
			s.wholeDue = time.Time{}
			return false, true
		case <-rested.C:
			claimed = s.lanes.claimed
		case <-claimed:
			return false, true
		case <-idle.C:
			return true, true
		}
	}
}

// $1 are the queues, $2 and $3 what they are to claimSQL. $4 are times in each lane, from
// which to look, $5 and $6 the last positions. These are where cursors were if jobs wait
// beyond, which claims come to: else those of a dead worker may be there.
const sweepSQL = `-- queue.sweep
SELECT q.name, j.priority, j.run_at, j.id, j.state = 'running'
  FROM unnest($1::text[]) WITH ORDINALITY AS q (name, nth)
 CROSS JOIN generate_series(1, 4) AS p (priority)
 CROSS JOIN LATERAL (
   SELECT id, run_at, priority, state
     FROM jobs
    WHERE queue = q.name AND priority = p.priority AND run_at <= now()
      AND run_at > ($4::timestamptz[])[4 * q.nth + p.priority - 4]
      AND (run_at, id + 0) <= (($5::timestamptz[])[4 * q.nth + p.priority - 4],
                               ($6::bigint[])[4 * q.nth + p.priority - 4])
      AND kind = ANY ($2::text[]) AND ` + claimable + `
    ORDER BY run_at, id + 0
    LIMIT $7) j
 WHERE q.name <> ALL ` + paused

// A view is where a sweep looks.
type view struct {
	queues []string
	strays []int64
	after  []time.Time // where it begins: four for each queue
	at     []time.Time // of the last positions
	id     []int64
}

// args are those of sweepSQL, for so many jobs of a lane.
func (v *view) args(kinds []string, limit int) []any {
	return []any{v.queues, kinds, v.strays, v.after, v.at, v.id, limit}
}

const patienceSQL = `-- queue.patience
SELECT set_config('statement_timeout', '60s', true)`

// find has the next claims take what one sweep finds. A poll mostly finds nothing, and so
// asks for one job of each lane first.
func (s *sweeper) find(ctx context.Context, whole, polls bool) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	if s.conn == nil {
		conn, err := s.connect(ctx)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	v := s.lanes.view(whole)
	if polls {
		if found, err := s.any(ctx, v); err != nil || !found {
			return err
		}
	}
	var found []straggler
	err := readCommitted(ctx, s.conn, func(batch *pgx.Batch) {
		batch.Queue(patienceSQL)
		batch.Queue(sweepSQL, v.args(s.kinds, sweepLimit)...).Query(func(rows pgx.Rows) error {
			var g straggler
			into := []any{&g.queue, &g.priority, &g.at, &g.id, &g.running}
			_, err := pgx.ForEachRow(rows, into, func() error {
				found = append(found, g)
				return nil
			})
			return err
		})
	})
	if err != nil {
		return err
	}
	s.lanes.take(found)
	if len(found) > 0 {
		ring(s.slots.bell)
	}
	return nil
}

const anySQL = `-- queue.any
SELECT EXISTS (` + sweepSQL + `)`

// any says whether a sweep would find something, by one statement without the settings
// of a batch. It is planned anew each time: for the first job of a lane the index is always
// the cheapest way, but for a plan that was made while the table was empty.
func (s *sweeper) any(ctx context.Context, v *view) (found bool, err error) {
	args := append([]any{pgx.QueryExecModeExec}, v.args(s.kinds, 1)...)
	err = s.single(ctx, s.conn, func(db DB) error {
		return db.QueryRow(ctx, anySQL, args...).Scan(&found)
	})
	return found, err
}

func (s *sweeper) close() {
	if s.conn != nil {
		closeConn(s.conn)
		s.conn = nil
	}
}
