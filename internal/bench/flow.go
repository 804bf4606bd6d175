// Here: jobs that come and go at the same time: a worker, and inserters beside it.

package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// A supply says how jobs come.
type supply struct {
	inserters int     // each on a connection
	batch     int     // jobs that one inserts at once, as soon as there is room for them
	backlog   int     // of inserted and unfinished jobs, beyond which none are inserted
	rate      float64 // jobs a second, whatever the worker does; 0 keeps the backlog
}

// A flow is one worker with its default settings and a handler that does nothing, and
// inserters that keep something to do for it.
type flow struct {
	supply
	db       *pgxpool.Pool
	own      *pgxpool.Pool // the worker's
	probe    *probe
	crew     *crew
	inserted atomic.Int64 // jobs, committed

	stop    context.CancelFunc // of the inserters
	running sync.WaitGroup
	failed  chan error
}

func startFlow(ctx context.Context, db *pgxpool.Pool, s supply) (*flow, error) {
	probe, own, err := listen(ctx, db)
	if err != nil {
		return nil, err
	}
	f := &flow{supply: s, db: db, own: own, probe: probe, failed: make(chan error, s.inserters+1)}
	f.crew = startCrew(ctx, own, nil, doing(func(int) {}))
	ctx, f.stop = context.WithCancel(ctx)
	insert, inserters := f.fill, s.inserters
	if s.rate > 0 {
		insert, inserters = f.stream, 1
	}
	for range inserters {
		f.running.Go(func() {
			if err := insert(ctx); err != nil && ctx.Err() == nil {
				f.failed <- fmt.Errorf("insert: %w", err)
			}
		})
	}
	return f, nil
}

// check returns an error if the flow is not what is to be measured.
func (f *flow) check() error {
	select {
	case err := <-f.failed:
		return err
	default:
		return f.crew.check()
	}
}

// watch looks after the flow for so long, and calls tell with how long it has been.
func (f *flow) watch(ctx context.Context, d time.Duration, tell func(time.Duration)) error {
	return watchFor(ctx, d, f.check, tell)
}

// watchFor returns after so long, or the first error of check. It calls tell with how
// long it has been.
func watchFor(
	ctx context.Context, d time.Duration, check func() error, tell func(time.Duration),
) error {
	for began := time.Now(); ; {
		done := time.Since(began)
		tell(min(done, d))
		if done >= d {
			return nil
		}
		if err := errors.Join(check(), wait(ctx, min(glance, d-done))); err != nil {
			return err
		}
	}
}

// end stops the inserters and then the worker, and returns when they have.
func (f *flow) end(measured error) error {
	f.stop()
	f.running.Wait()
	err := f.crew.leave(measured)
	f.own.Close()
	return err
}

// left is how many jobs are inserted and not finished.
func (f *flow) left() int { return int(f.inserted.Load() - f.probe.finished.Load()) }

// fill inserts whenever there is room for a batch.
func (f *flow) fill(ctx context.Context) error {
	return f.inserting(ctx, func(insert func(jobs int) error) error {
		const pause = time.Millisecond
		for {
			for f.left()+f.batch > f.backlog {
				if err := wait(ctx, pause); err != nil {
					return err
				}
			}
			if err := insert(f.batch); err != nil {
				return err
			}
		}
	})
}

// stream inserts what is due by the clock, in one batch each few milliseconds, or as
// soon as the one before has been answered.
func (f *flow) stream(ctx context.Context) error {
	return f.inserting(ctx, func(insert func(jobs int) error) error {
		const pause = 5 * time.Millisecond
		began, sent := time.Now(), 0
		for {
			due := int(f.rate*time.Since(began).Seconds()) - sent
			if due > 0 {
				if err := insert(due); err != nil {
					return err
				}
				sent += due
			}
			if err := wait(ctx, pause); err != nil {
				return err
			}
		}
	})
}

// inserting has f insert over a connection of its own.
func (f *flow) inserting(ctx context.Context, by func(insert func(jobs int) error) error) error {
	conn, err := pgx.ConnectConfig(ctx, f.db.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var client queue.Client
	return by(func(jobs int) error {
		_, err := client.InsertBatch(ctx, conn, numbered(0, jobs))
		if err == nil {
			f.inserted.Add(int64(jobs))
		}
		return err
	})
}

// An instant is a moment by the clock of this process and by the database's.
type instant struct{ here, there time.Time }

const nowSQL = `-- bench.now
SELECT clock_timestamp()`

func readInstant(ctx context.Context, db *pgxpool.Pool) (i instant, err error) {
	began := time.Now()
	err = db.QueryRow(ctx, nowSQL).Scan(&i.there)
	i.here = began.Add(time.Since(began) / 2)
	return i, err
}

// after is i and so long.
func (i instant) after(d time.Duration) instant { return instant{i.here.Add(d), i.there.Add(d)} }

const paceSQL = `-- bench.pace
SELECT floor(extract(epoch FROM finished_at - $1))::integer, count(*)::integer
  FROM finished_jobs
 WHERE finished_at >= $1 AND finished_at < $1 + make_interval(secs => $2)
 GROUP BY 1`

// pace returns how many jobs were finished in each of so many seconds, by the history. A
// job counts where the transaction began that finished it.
func pace(ctx context.Context, db *pgxpool.Pool, from time.Time, seconds int) ([]int, error) {
	finished := make([]int, seconds)
	rows, _ := db.Query(ctx, paceSQL, from, float64(seconds)) // ForEachRow returns its error
	var second, jobs int
	_, err := pgx.ForEachRow(rows, []any{&second, &jobs}, func() error {
		if second >= 0 && second < seconds {
			finished[second] = jobs
		}
		return nil
	})
	return finished, err
}

// afterwards returns a context for what is asked when a measurement is over, perhaps
// since ctx has ended.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	const patience = time.Minute
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}
