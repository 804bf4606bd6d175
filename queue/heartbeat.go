// Here: how a process shows that it lives, and how others see that it does not.

package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const beatInterval = time.Second

// heartbeat registers this process, beats once a second until ctx ends, and then
// says that it stopped. It has a connection of its own, whose session holds a lock
// that tells of its death: an unheld lock and beats that stay out mean that the
// process is gone. A dropped connection alone frees the lock too, so it is made
// anew at once and beats go on.
func (r *run) heartbeat(ctx context.Context) {
	h := &heart{run: r, unknown: make(map[string]bool)}
	defer h.stop()
	var pause time.Duration
	for {
		err := h.beat(ctx)
		if err == nil {
			pause = 0
			err = h.hear(ctx, beatInterval)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			h.close()
			r.report(fmt.Errorf("queue: heartbeat: %w", err))
			sleep(ctx, jittered(pause)) // at once the first time
			pause = min(2*pause+50*time.Millisecond, beatInterval)
		}
	}
}

// A heart is what heartbeat keeps from beat to beat.
type heart struct {
	*run
	conn    *pgx.Conn
	locked  bool // conn's session holds the lock
	beats   int
	unknown map[string]bool // kinds reported as unknown
}

// The beat counts from the database's clock when it is written. Whoever else's is
// overdue is looked at closely by buryWorkersSQL. It reads no jobs, so its plan needs no
// settings.
const beatSQL = `-- queue.beat
WITH me AS (
  UPDATE workers SET beat_at = clock_timestamp(), running = $2, asleep = asleep AND NOT $3
   WHERE id = $1 AND state = 'live'
  RETURNING asleep)
SELECT EXISTS (SELECT FROM me),
       EXISTS (SELECT FROM me WHERE asleep),
       current_setting('default_transaction_isolation') = 'read committed',
       (SELECT count(*) FROM workers WHERE state = 'live'),
       ARRAY(SELECT id FROM workers
              WHERE state = 'live' AND id <> $1
                AND beat_at < clock_timestamp() - interval '2.5 s')`

// beat connects if it has to, beats, and sees to what was called off and to those whose
// beats stay out.
func (h *heart) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.lease/3)
	defer cancel()
	if err := h.open(ctx); err != nil {
		return err
	}
	var (
		alive     bool
		asleep    bool
		plain     bool
		processes int64
		overdue   []int64
	)
	running, held, _ := h.slots.count()
	busy := h.claimed.Swap(0)*max(1, h.processes.Load()) > busyJobs
	err := h.single(ctx, h.conn, func(db DB) error {
		return db.QueryRow(ctx, beatSQL, h.id.Load(), running, busy).
			Scan(&alive, &asleep, &plain, &processes, &overdue)
	})
	if err != nil {
		return err
	}
	h.plain.Store(plain)
	h.processes.Store(processes)
	h.busy.Store(busy)
	if h.asleep.Swap(asleep) && !asleep {
		ring(h.slots.bell) // nobody else does from now on
	}
	if held > 0 {
		if err := h.callOff(ctx); err != nil {
			return err
		}
	}
	if !alive {
		h.report(fmt.Errorf("queue: worker %d was taken for dead: %w", h.id.Load(), ErrLost))
		h.slots.cancel(func(*attempt) bool { return true }, ErrLost, returned)
		if err := h.register(ctx); err != nil {
			return err
		}
	}
	if len(overdue) > 0 {
		if err := h.bury(ctx, overdue); err != nil {
			return err
		}
	}
	if h.beats%10 == 0 {
		if err := h.lookForUnknown(ctx); err != nil {
			return err
		}
	}
	h.beats++
	return nil
}

const calledOffSQL = `-- queue.called_off
SELECT id FROM jobs WHERE cancelling AND worker = $1`

// callOff ends the handlers of what was called off.
func (h *heart) callOff(ctx context.Context) error {
	var ids []int64
	err := readCommitted(ctx, h.conn, func(batch *pgx.Batch) {
		batch.Queue(calledOffSQL, h.id.Load()).Query(func(rows pgx.Rows) (err error) {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			return err
		})
	})
	if len(ids) > 0 {
		h.slots.cancel(func(a *attempt) bool { return slices.Contains(ids, a.claim.id) },
			ErrCancelled, cancelled)
	}
	return err
}

const registerSQL = `-- queue.register
INSERT INTO workers (name, queues, slots, lease) VALUES ($1, $2, $3, $4) RETURNING id`

const lifeLockSQL = `-- queue.life_lock
SELECT pg_try_advisory_lock('workers'::regclass::oid::integer, ($1::bigint % 2147483647)::integer)`

// open makes the connection, this process' row and the lock, as far as they are
// missing. The session of a connection that broke off may hold the lock for a
// while: then the next beat tries again.
func (h *heart) open(ctx context.Context) error {
	if h.conn == nil {
		conn, err := h.connect(ctx)
		if err != nil {
			return err
		}
		h.conn = conn
		if err := h.listen(ctx); err != nil {
			return err
		}
	}
	if h.id.Load() == 0 {
		return h.register(ctx)
	}
	if h.locked {
		return nil
	}
	return h.conn.QueryRow(ctx, lifeLockSQL, h.id.Load()).Scan(&h.locked)
}

// register gives this process a row in workers: at the start, and when others took
// it for dead.
func (h *heart) register(ctx context.Context) error {
	slots := 0
	for _, q := range h.queues {
		slots += q.Slots
	}
	var id int64
	err := h.conn.QueryRow(ctx, registerSQL, h.name, h.queueNames(), slots, h.lease).Scan(&id)
	if err != nil {
		return err
	}
	h.id.Store(id)
	h.asleep.Store(false)
	ring(h.slots.bell)
	return h.conn.QueryRow(ctx, lifeLockSQL, id).Scan(&h.locked)
}

// A worker is dead if its beats stayed out for its lease, or for 2.5 s while its
// lock is free. A restart of the server frees all locks and keeps all from beating,
// so nobody is dead sooner than one lease after it. The condition on beat_at makes
// this a compare-and-set: a beat that comes meanwhile wins.
const buryWorkersSQL = `-- queue.bury_workers
UPDATE workers w
   SET state = 'dead', ended_at = now()
 WHERE id = ANY ($1) AND state = 'live'
   AND clock_timestamp() - pg_postmaster_start_time() > lease
   AND (beat_at < clock_timestamp() - lease
        OR beat_at < clock_timestamp() - interval '2.5 s'
           AND NOT EXISTS (
             SELECT FROM pg_locks l
              WHERE l.locktype = 'advisory' AND l.objsubid = 2
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.classid = 'workers'::regclass::oid
                AND l.objid = (w.id % 2147483647)::integer::oid))
RETURNING id, name`

// bury declares those dead that are, so that their jobs are claimed again.
func (h *heart) bury(ctx context.Context, overdue []int64) error {
	rows, _ := h.conn.Query(ctx, buryWorkersSQL, overdue) // ForEachRow returns its error
	var (
		id   int64
		name string
	)
	_, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		h.log.Warn("worker is dead: its jobs are claimed again", "worker", name, "worker_id", id)
		h.lanes.soon()
		ring(h.slots.bell)
		return nil
	})
	return err
}

// Only the head of each lane is looked at: what nobody works gathers there.
const unknownSQL = `-- queue.unknown
SELECT DISTINCT j.kind, j.queue
  FROM unnest($1::text[]) AS q (name)
 CROSS JOIN generate_series(1, 4) AS p (priority)
 CROSS JOIN LATERAL (
   SELECT kind, queue, state FROM jobs
    WHERE queue = q.name AND priority = p.priority AND run_at <= now()
    ORDER BY run_at, id + 0
    LIMIT 1000) j
 WHERE j.state = 'queued' AND j.kind <> ALL ($2::text[])`

// lookForUnknown reports kinds that wait in our queues and have no handler here,
// once each.
func (h *heart) lookForUnknown(ctx context.Context) error {
	var kind, queue string
	found := func() error {
		if !h.unknown[kind] {
			h.unknown[kind] = true
			h.report(fmt.Errorf("queue: kind %q in queue %q has no handler in this worker, "+
				"and its jobs wait for one that has; registered: %q", kind, queue, h.kinds))
		}
		return nil
	}
	return readCommitted(ctx, h.conn, func(batch *pgx.Batch) {
		batch.Queue(unknownSQL, h.queueNames(), h.kinds).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&kind, &queue}, found)
			return err
		})
	})
}

func (r *run) queueNames() (names []string) {
	for _, q := range r.queues {
		names = append(names, q.Name)
	}
	return names
}

const stopSQL = `-- queue.stop
UPDATE workers SET state = 'stopped', ended_at = now(), running = 0
 WHERE id = $1 AND state = 'live'`

// stop says that this process ended in order. What it may still hold can be claimed
// by others from now on.
func (h *heart) stop() {
	defer h.close()
	ctx, cancel := context.WithTimeout(context.Background(), beatInterval)
	defer cancel()
	if h.conn != nil && h.conn.IsClosed() { // a beat was under way when ctx ended
		h.close()
	}
	err := h.open(ctx)
	if err == nil {
		_, err = h.conn.Exec(ctx, stopSQL, h.id.Load())
	}
	if err != nil {
		h.report(fmt.Errorf("queue: say that the worker stopped: %w", err))
	}
}

func (h *heart) close() {
	if h.conn != nil {
		closeConn(h.conn)
		h.conn, h.locked = nil, false
	}
}
