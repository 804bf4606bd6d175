// Here: how soon an idle worker starts a job.

package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// LatencyOptions say what [Latency] measures.
type LatencyOptions struct {
	// Rate is how many jobs a second are inserted, by a schedule that waits for
	// nothing. 0 inserts the next job a moment after the last one was started.
	Rate     float64
	For      time.Duration // how long jobs are inserted
	Progress Progress      // may be nil
}

// A LatencyResult is how long jobs waited, in milliseconds: from when their insert had
// returned, so was committed, until their handler started, by the clock of this process.
type LatencyResult struct {
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
	Rate float64 `json:"rate"` // jobs a second, as it was reached
	Jobs int     `json:"jobs"` // that were measured

	// By the database's clock: from the INSERT to the start of the transaction that
	// claimed the job. Zero after an error.
	DatabaseP50 float64 `json:"database_p50_ms,omitzero"`
	DatabaseP99 float64 `json:"database_p99_ms,omitzero"`
	DatabaseMax float64 `json:"database_max_ms,omitzero"`

	Buckets []Bucket `json:"buckets"`
}

// A Bucket counts the jobs that waited at most so long, and longer than those of the
// bucket before.
type Bucket struct {
	UpTo float64 `json:"up_to_ms"`
	Jobs int     `json:"jobs"`
}

// Latency measures how soon one worker with its default settings starts jobs that are
// inserted in the same process, each in a transaction of its own.
//
// After an error it returns what it has along with it.
func Latency(
	ctx context.Context, db *pgxpool.Pool, o LatencyOptions,
) (r LatencyResult, err error) {
	if o.Rate < 0 || o.For <= 0 {
		return r, fmt.Errorf("bench: latency: a rate of %v for %v is nothing to measure",
			o.Rate, o.For)
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	w := &watch{db: db, options: o, zero: time.Now(), bell: make(chan struct{}, 1)}
	c := startCrew(ctx, db, 0, w.start)
	err = c.leave(w.measure(ctx, c))
	r = w.result()
	if err == nil {
		err = r.crossCheck(ctx, db)
	}
	return r, err
}

// A watch notes when each job was committed and when it was started.
type watch struct {
	db      *pgxpool.Pool
	options LatencyOptions
	zero    time.Time

	mu        sync.Mutex
	committed []time.Duration // since zero, by the job's number; 0 if it is not yet
	started   []time.Duration
	open      int // jobs of which the insert has not returned or the handler not started
	failed    error
	last      time.Duration // the latest of committed

	bell chan struct{} // rings when open has become 0
}

// warmUp is how many jobs go first and are not measured: they open connections and
// prepare statements.
const warmUp = 20

func (w *watch) measure(ctx context.Context, c *crew) error {
	for { // the worker registers before it claims
		if _, ready := c.worker.Health(); ready == nil {
			break
		}
		if err := errors.Join(c.check(), wait(ctx, time.Millisecond)); err != nil {
			return err
		}
	}
	for range warmUp {
		if err := w.one(ctx, c); err != nil {
			return err
		}
	}
	w.forget()
	if w.options.Rate == 0 {
		return w.idle(ctx, c)
	}
	return w.scheduled(ctx, c)
}

// forget begins anew.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed, w.started, w.last, w.zero = nil, nil, 0, time.Now()
}

// one inserts a job and waits until it is started.
func (w *watch) one(ctx context.Context, c *crew) error {
	w.insert(ctx, w.begin())
	return w.quiet(ctx, c)
}

// idle inserts jobs one by one. Between two of them the end of the first gets on record.
func (w *watch) idle(ctx context.Context, c *crew) error {
	const pause = 20 * time.Millisecond
	for began := time.Now(); time.Since(began) < w.options.For; {
		if err := w.one(ctx, c); err != nil {
			return err
		}
		w.tell("latency, one job at a time", time.Since(began))
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// scheduled inserts the nth job n/rate after the first, however long the jobs and
// inserts before it take.
func (w *watch) scheduled(ctx context.Context, c *crew) error {
	total := max(1, int(w.options.Rate*w.options.For.Seconds()))
	what := fmt.Sprintf("latency at %g jobs/s", w.options.Rate)
	var inserts sync.WaitGroup
	began := time.Now()
	err := func() error {
		for n := range total {
			due := time.Duration(float64(n) / w.options.Rate * float64(time.Second))
			if ahead := due - time.Since(began); ahead > 0 {
				if err := wait(ctx, ahead); err != nil {
					return err
				}
			}
			if err := errors.Join(c.check(), ctx.Err(), w.failure()); err != nil {
				return err
			}
			id := w.begin()
			inserts.Go(func() { w.insert(ctx, id) })
			w.tell(what, due)
		}
		return nil
	}()
	inserts.Wait()
	if err != nil {
		return err
	}
	return w.quiet(ctx, c)
}

func (w *watch) tell(what string, done time.Duration) {
	const unit = time.Second
	w.options.Progress(what+", seconds", int(done/unit), int(max(w.options.For/unit, 1)))
}

// begin returns the number of a new job.
func (w *watch) begin() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open++
	w.committed, w.started = append(w.committed, 0), append(w.started, 0)
	return len(w.committed) - 1
}

// insert inserts the job with the number n, by the pool, so in a transaction of its own.
func (w *watch) insert(ctx context.Context, n int) {
	var client queue.Client
	_, err := client.Insert(ctx, w.db, nothing{n})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed = errors.Join(w.failed, err)
		return
	}
	w.committed[n] = time.Since(w.zero)
	w.last = max(w.last, w.committed[n])
	w.closeIf(w.started[n] > 0)
}

// start is the handler. A job may start before its insert has returned.
func (w *watch) start(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < len(w.started) && w.started[n] == 0 {
		w.started[n] = time.Since(w.zero)
		w.closeIf(w.committed[n] > 0)
	}
}

// closeIf counts a job that is through with both.
func (w *watch) closeIf(both bool) {
	if !both {
		return
	}
	if w.open--; w.open == 0 {
		select {
		case w.bell <- struct{}{}:
		default:
		}
	}
}

func (w *watch) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// quiet returns when no job is open.
func (w *watch) quiet(ctx context.Context, c *crew) error {
	for {
		w.mu.Lock()
		open, failed := w.open, w.failed
		w.mu.Unlock()
		if failed != nil || open == 0 {
			return failed
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.bell:
		case <-time.After(glance):
			if err := c.check(); err != nil {
				return err
			}
		}
	}
}

// result sums up the jobs that are through.
func (w *watch) result() (r LatencyResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var waits []float64
	for n, at := range w.committed {
		if at > 0 && w.started[n] > 0 {
			waits = append(waits, float64(max(0, w.started[n]-at))/float64(time.Millisecond))
		}
	}
	r.Jobs = len(waits)
	if r.Jobs == 0 {
		return r
	}
	slices.Sort(waits)
	r.P50, r.P99, r.P999, r.Max =
		quantile(waits, 0.5), quantile(waits, 0.99), quantile(waits, 0.999), quantile(waits, 1)
	r.Rate = rounded(float64(r.Jobs)/w.last.Seconds(), 1)
	r.Buckets = buckets(waits)
	return r
}

// quantile returns the value that a part q of sorted is at or below.
func quantile(sorted []float64, q float64) float64 {
	n := int(math.Ceil(q * float64(len(sorted))))
	return rounded(sorted[max(n, 1)-1], 3)
}

// buckets counts sorted, which is not empty, in buckets each twice as wide as the one
// before.
func buckets(sorted []float64) (all []Bucket) {
	const least = 0.125
	for upTo := least; len(sorted) > 0; upTo *= 2 {
		n := len(sorted)
		if i := slices.IndexFunc(sorted, func(ms float64) bool { return ms > upTo }); i >= 0 {
			n = i
		}
		if n > 0 || len(all) > 0 { // the empty ones in front say nothing
			all = append(all, Bucket{UpTo: upTo, Jobs: n})
		}
		sorted = sorted[n:]
	}
	return all
}

// The newest jobs are those that were measured: the others went before, to warm up.
const waitedSQL = `-- bench.waited
SELECT extract(epoch FROM claimed_at - created_at)::float8 * 1000
  FROM finished_jobs ORDER BY id DESC LIMIT $1`

// crossCheck adds what the database says of the same jobs.
func (r *LatencyResult) crossCheck(ctx context.Context, db *pgxpool.Pool) error {
	rows, _ := db.Query(ctx, waitedSQL, r.Jobs) // CollectRows returns its error
	waits, err := pgx.CollectRows(rows, pgx.RowTo[float64])
	if err != nil {
		return err
	}
	if len(waits) != r.Jobs {
		return fmt.Errorf("the history has %d of %d jobs", len(waits), r.Jobs)
	}
	slices.Sort(waits)
	r.DatabaseP50, r.DatabaseP99, r.DatabaseMax =
		quantile(waits, 0.5), quantile(waits, 0.99), quantile(waits, 1)
	return nil
}
