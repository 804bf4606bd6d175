// Here: what runs have in common: the jobs are loaded, then the clock runs until the
// database has all of them in its history.

package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

const emptySQL = `-- bench.empty
TRUNCATE jobs, finished_jobs`

const lastIDSQL = `-- bench.last_id
SELECT coalesce(max(id), 0) FROM jobs`

// preload empties the tables and inserts so many jobs. It returns the last one's id.
func preload(ctx context.Context, db *pgxpool.Pool, jobs int, p Progress) (last int64, err error) {
	const perBatch = 100_000 // what is held of a batch is an id for each job
	if _, err := db.Exec(ctx, emptySQL); err != nil {
		return 0, err
	}
	var client queue.Client
	for from := 0; from < jobs; from += perBatch {
		to := min(from+perBatch, jobs)
		if _, err := client.InsertBatch(ctx, db, numbered(from, to)); err != nil {
			return 0, err
		}
		p("preload", to, jobs)
	}
	return last, db.QueryRow(ctx, lastIDSQL).Scan(&last)
}

// numbered yields jobs with the numbers from one up to another.
func numbered(from, to int) func(yield func(queue.Args, error) bool) {
	return func(yield func(queue.Args, error) bool) {
		for n := from; n < to; n++ {
			if !yield(nothing{n}, nil) {
				return
			}
		}
	}
}

const checkpointSQL = `-- bench.checkpoint
CHECKPOINT`

// checkpoint writes out what the server holds, so that each run begins alike. It says
// whether that was allowed.
func checkpoint(ctx context.Context, db *pgxpool.Pool) (done bool, err error) {
	_, err = db.Exec(ctx, checkpointSQL)
	const insufficientPrivilege = "42501"
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		if refused.Code == insufficientPrivilege {
			return false, nil
		}
	}
	return err == nil, err
}

// counters are what the server counts.
type counters struct {
	wal          float64 // position in the log, in bytes
	updates, hot int64   // of rows of jobs
}

const countersSQL = `-- bench.counters
SELECT (pg_current_wal_insert_lsn() - '0/0')::float8, n_tup_upd, n_tup_hot_upd
  FROM pg_stat_user_tables WHERE relid = 'jobs'::regclass`

func readCounters(ctx context.Context, db *pgxpool.Pool) (c counters, err error) {
	err = db.QueryRow(ctx, countersSQL).Scan(&c.wal, &c.updates, &c.hot)
	return c, err
}

// settled returns the counters once they have so many updates. A session hands in what
// it has counted after a second, or soon after it ends.
func settled(ctx context.Context, db *pgxpool.Pool, updates int64) (c counters, err error) {
	const patience, pause = 10 * time.Second, 10 * time.Millisecond
	deadline := time.Now().Add(patience)
	for {
		c, err = readCounters(ctx, db)
		if err != nil || c.updates >= updates {
			return c, err
		}
		if time.Now().After(deadline) {
			return c, fmt.Errorf("the server's statistics have %d updates of jobs, "+
				"and there were %d: is track_counts off?", c.updates, updates)
		}
		if err := wait(ctx, pause); err != nil {
			return c, err
		}
	}
}

// wait waits, or returns why ctx ended.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// A load is the jobs of one run.
type load struct {
	db   *pgxpool.Pool
	jobs int
	last int64 // the id of the last one
}

const tailSQL = `-- bench.tail
SELECT EXISTS (SELECT FROM jobs WHERE id > $1)`

const finishedSQL = `-- bench.finished
SELECT count(*) FROM finished_jobs WHERE state = 'completed'`

// awaitFinished returns when the database says that all jobs are finished: the moment
// at which it first said so. A look at the whole table would slow down what it measures,
// so it looks at the last jobs until they are gone, and counts then. It gives up when
// check returns an error.
func (l *load) awaitFinished(ctx context.Context, check func() error) (at time.Time, err error) {
	const tail, pause = 10_000, 2 * time.Millisecond
	conn, err := l.db.Acquire(ctx)
	if err != nil {
		return at, err
	}
	defer conn.Release()
	for {
		var left bool
		if err := conn.QueryRow(ctx, tailSQL, l.last-tail).Scan(&left); err != nil {
			return at, err
		}
		if at = time.Now(); !left {
			finished, err := l.finished(ctx, conn.Conn())
			if err != nil || finished == l.jobs {
				return at, err
			}
		}
		if err := errors.Join(check(), wait(ctx, pause)); err != nil {
			return at, err
		}
	}
}

func (l *load) finished(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, finishedSQL).Scan(&n)
	return n, err
}

// glance is how often progress is told.
const glance = 50 * time.Millisecond

// A tally counts handlers that have run, which tells when to look into the database, and
// is no result.
type tally struct {
	jobs, n int64
	all     chan struct{} // closed when all have
}

func newTally(jobs int) *tally { return &tally{jobs: int64(jobs), all: make(chan struct{})} }

func (t *tally) ran() {
	if atomic.AddInt64(&t.n, 1) == t.jobs {
		close(t.all)
	}
}

// drained returns when the database says that all jobs are finished: the moment at which
// it first said so. It leaves the database alone until the handlers of c have run.
func (l *load) drained(
	ctx context.Context, c *crew, t *tally, tell func(int64),
) (at time.Time, err error) {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			return at, ctx.Err()
		case <-t.all: // handlers have; the database has soon
			running = false
		case <-ticker.C:
			if err := c.check(); err != nil {
				return at, err
			}
		}
		tell(atomic.LoadInt64(&t.n))
	}
	return l.awaitFinished(ctx, c.check)
}

const pauseSQL = `-- bench.pause
SELECT pause_queue('default')`

// loadPaused loads the jobs while the queue is paused: resumeSQL opens it.
func loadPaused(ctx context.Context, db *pgxpool.Pool, jobs int, p Progress) (*load, error) {
	if _, err := db.Exec(ctx, pauseSQL); err != nil {
		return nil, err
	}
	last, err := preload(ctx, db, jobs, p)
	if err != nil {
		return nil, err
	}
	_, err = checkpoint(ctx, db)
	return &load{db, jobs, last}, err
}

const resumeSQL = `-- bench.resume
SELECT resume_queue('default'), ring_bell('default')`

// atOnce loads the jobs while the queue is paused, starts a worker, and opens the queue
// when that stands ready: its start is no part of what is measured. It returns how long
// it took from then until the database said that all jobs are finished.
func atOnce(
	ctx context.Context, db *pgxpool.Pool, jobs int, p Progress, what string,
	start func(*tally) *crew,
) (took time.Duration, err error) {
	l, err := loadPaused(ctx, db, jobs, p)
	if err != nil {
		return 0, err
	}
	t := newTally(jobs)
	c := start(t)
	defer func() { err = c.leave(err) }()
	if err := c.ready(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := db.Exec(ctx, resumeSQL); err != nil {
		return 0, err
	}
	ended, err := l.drained(ctx, c, t, func(n int64) {
		p(what, min(int(n), jobs), jobs)
	})
	return ended.Sub(began), err
}

// withConns returns a pool as db is with so many connections, which are open.
func withConns(ctx context.Context, db *pgxpool.Pool, conns int) (*pgxpool.Pool, error) {
	config := db.Config()
	config.MaxConns = int32(conns)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	var held []*pgxpool.Conn
	for len(held) < conns && err == nil {
		var conn *pgxpool.Conn
		if conn, err = pool.Acquire(ctx); err == nil {
			held = append(held, conn)
		}
	}
	for _, conn := range held {
		conn.Release()
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open %d connections: %w", conns, err)
	}
	return pool, nil
}

// rounded is x with so many digits behind the point.
func rounded(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}
