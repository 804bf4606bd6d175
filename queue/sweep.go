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
	// entries make them dear, all processes together give them a tenth and a twentieth of
	// a core. Elsewhere each sweep begins there.
	nearShare     = 10
	wholeShare    = 20
	shortestPause = 50 * time.Millisecond

	// nearPast is how long nearly all transactions are over that inserted something.
	nearPast = 10 * time.Second

	sweepTimeout = time.Minute
)

// sweep looks behind the cursors until ctx ends: after claims, in a hurry where something
// is known to be there, and once in a while.
func (r *run) sweep(ctx context.Context) {
	s := &sweeper{run: r}
	defer s.close()
	var pause time.Duration
	for s.await(ctx, pause) {
		began := time.Now()
		whole := !began.Before(s.wholeDue)
		err := s.find(ctx, whole)
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
			pause = longestPause
		}
	}
}

// A sweeper is what sweep keeps from one to the next.
type sweeper struct {
	*run
	conn     *pgx.Conn // nil if it has to be made
	wholeDue time.Time // when one may begin where the lanes do
}

// await returns true when it is time for a sweep: at the first claim after a pause, or
// some time later without one. It returns false when ctx ends.
func (s *sweeper) await(ctx context.Context, pause time.Duration) bool {
	rested, idle := time.NewTimer(pause), time.NewTimer(pause+longestPause)
	defer rested.Stop()
	defer idle.Stop()
	var claimed chan struct{}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-s.lanes.hurry:
			s.wholeDue = time.Time{}
			return true
		case <-rested.C:
			claimed = s.lanes.claimed
		case <-claimed:
			return true
		case <-idle.C:
			return true
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

// queueSweep adds a sweep to a batch.
func (r *run) queueSweep(batch *pgx.Batch, v *view) *pgx.QueuedQuery {
	return batch.Queue(sweepSQL, v.queues, r.kinds, v.strays, v.after, v.at, v.id, sweepLimit)
}

const patienceSQL = `-- queue.patience
SELECT set_config('statement_timeout', '60s', true)`

// find has the next claims take what one sweep finds.
func (s *sweeper) find(ctx context.Context, whole bool) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	if s.conn == nil {
		conn, err := s.connect(ctx)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	var found []straggler
	err := readCommitted(ctx, s.conn, func(batch *pgx.Batch) {
		batch.Queue(settingsSQL)
		batch.Queue(patienceSQL)
		s.queueSweep(batch, s.lanes.view(whole)).Query(func(rows pgx.Rows) error {
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
	if s.lanes.take(found) {
		ring(s.slots.bell)
	}
	return nil
}

func (s *sweeper) close() {
	if s.conn != nil {
		closeConn(s.conn)
		s.conn = nil
	}
}
