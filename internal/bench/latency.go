// Here: how soon an idle worker starts a job.

package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
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
	Rate float64
	For  time.Duration // how long jobs are inserted

	// Through is how they are inserted; "" is ThroughTx.
	Through  string
	Batch    int      // jobs of a transaction; 0 is 1
	PollOnly bool     // inserts wake nobody, as where LISTEN does not work
	LongTx   bool     // beside them, transactions stay open for up to 8 s, each with a job
	Progress Progress // may be nil
}

// The ways to insert of [LatencyOptions].
const (
	ThroughTx   = "tx"   // in a transaction of the caller's, so that a worker is woken by NOTIFY
	ThroughPool = "pool" // by a pool, so that a worker in this process is woken directly
)

// A LatencyResult is how long jobs waited, in milliseconds: from when their insert had
// returned, so was committed, until their handler started, by the clock of this process.
type LatencyResult struct {
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
	Rate float64 `json:"rate"` // jobs a second, as it was reached
	Jobs int     `json:"jobs"` // that were measured

	// Late is how long after it was due an insert began, once it had a connection. If
	// it grows, what was measured is not the rate that was asked for.
	Late float64 `json:"late_p99_ms"`

	// The same for the jobs of long transactions, from their commit.
	LateCommits   int     `json:"late_commits,omitzero"`
	LateCommitP50 float64 `json:"late_commit_p50_ms,omitzero"`
	LateCommitP99 float64 `json:"late_commit_p99_ms,omitzero"`
	LateCommitMax float64 `json:"late_commit_max_ms,omitzero"`

	// By the database's clock: from the INSERT to the start of the transaction that
	// claimed the job. Zero after an error. Without those of long transactions.
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

// inserts is how many may be under way at a time, each on a connection.
const inserts = 16

// Latency measures how soon one worker with its default settings starts jobs that are
// inserted in the same process, each in a transaction of its own, or a few in each.
//
// After an error it returns what it has along with it.
func Latency(
	ctx context.Context, db *pgxpool.Pool, o LatencyOptions,
) (r LatencyResult, err error) {
	if o.Rate < 0 || o.For <= 0 || o.Batch < 0 {
		return r, fmt.Errorf("bench: latency: a rate of %v for %v by %d is nothing to measure",
			o.Rate, o.For, o.Batch)
	}
	o.Progress, o.Batch = o.Progress.orNone(), max(1, o.Batch)
	beside, err := withConns(ctx, db, inserts)
	if err != nil {
		return r, err
	}
	defer beside.Close()
	w := &watch{
		db: beside, options: o, client: queue.Client{Silent: o.PollOnly},
		zero: instant{here: time.Now()}, bell: make(chan struct{}, 1),
	}
	c := startCrew(ctx, db, nil, doing(w.start))
	err = c.leave(w.measure(ctx, c))
	r = w.result()
	if err == nil {
		err = w.crossCheck(ctx, &r)
	}
	return r, err
}

// A watch notes when each job was committed and when it was started.
type watch struct {
	db      *pgxpool.Pool // of the inserts
	options LatencyOptions
	client  queue.Client
	zero    instant

	mu     sync.Mutex
	jobs   []mark        // by their numbers
	late   []float64     // of each transaction, how long it came after it was due
	open   int           // jobs of which the insert has not returned or the handler not started
	last   time.Duration // the latest commit
	failed error

	bell chan struct{} // rings when open has become 0
}

// A mark is what is known of a job. Times are since zero, and 0 if it is not yet.
type mark struct {
	committed, started time.Duration
	long               bool // in a transaction that stays open
}

// warmUp is how many jobs go first and are not measured: they open connections and
// prepare statements.
const warmUp = 20

func (w *watch) measure(ctx context.Context, c *crew) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	for range warmUp {
		if err := w.one(ctx, c); err != nil {
			return err
		}
	}
	if err := w.forget(ctx); err != nil {
		return err
	}
	var beside sync.WaitGroup
	over := make(chan struct{}) // the transactions that are open may end
	if w.options.LongTx {
		for range longTransactions {
			beside.Go(func() { w.insertLate(ctx, over) })
		}
	}
	var err error
	if w.options.Rate == 0 {
		err = w.idle(ctx, c)
	} else {
		err = w.scheduled(ctx, c)
	}
	close(over)
	beside.Wait()
	if err != nil {
		return err
	}
	return w.quiet(ctx, c)
}

// forget begins anew.
func (w *watch) forget(ctx context.Context) error {
	zero, err := readInstant(ctx, w.db)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs, w.late, w.last = nil, nil, 0
	w.zero = instant{time.Now(), zero.there}
	return err
}

// one inserts a job and waits until it is started.
func (w *watch) one(ctx context.Context, c *crew) error {
	w.insert(ctx, w.begin(1, false), 1, time.Now())
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
// inserts before it take. Jobs of a batch are due together.
func (w *watch) scheduled(ctx context.Context, c *crew) error {
	total := max(1, int(w.options.Rate*w.options.For.Seconds()))
	what := fmt.Sprintf("latency at %g jobs/s", w.options.Rate)
	var inserting sync.WaitGroup
	began := time.Now()
	err := func() error {
		for n := 0; n < total; n += w.options.Batch {
			due := time.Duration(float64(n) / w.options.Rate * float64(time.Second))
			if ahead := due - time.Since(began); ahead > 0 {
				if err := wait(ctx, ahead); err != nil {
					return err
				}
			}
			if err := errors.Join(c.check(), ctx.Err(), w.failure()); err != nil {
				return err
			}
			jobs := min(w.options.Batch, total-n)
			first := w.begin(jobs, false)
			inserting.Go(func() { w.insert(ctx, first, jobs, began.Add(due)) })
			w.tell(what, due)
		}
		return nil
	}()
	inserting.Wait()
	return err
}

func (w *watch) tell(what string, done time.Duration) {
	const unit = time.Second
	w.options.Progress(what+", seconds", int(done/unit), int(max(w.options.For/unit, 1)))
}

// begin returns the first number of so many new jobs.
func (w *watch) begin(jobs int, long bool) (first int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = len(w.jobs)
	w.open += jobs
	for range jobs {
		w.jobs = append(w.jobs, mark{long: long})
	}
	return first
}

// insert inserts jobs in a transaction of their own, as soon as it has a connection.
func (w *watch) insert(ctx context.Context, first, jobs int, due time.Time) {
	conn, err := w.db.Acquire(ctx)
	if err != nil {
		w.fail(err)
		return
	}
	defer conn.Release()
	late := time.Since(due)
	if w.options.Through == ThroughPool {
		err = w.store(ctx, conn, first, jobs)
	} else {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			return w.store(ctx, tx, first, jobs)
		})
	}
	if err != nil {
		w.fail(err)
		return
	}
	w.stored(first, jobs)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = append(w.late, float64(late)/float64(time.Millisecond))
}

// store inserts jobs through db.
func (w *watch) store(ctx context.Context, db queue.DB, first, jobs int) (err error) {
	if jobs == 1 {
		_, err = w.client.Insert(ctx, db, nothing{first})
	} else {
		_, err = w.client.InsertBatch(ctx, db, numbered(first, first+jobs))
	}
	return err
}

// stored notes that jobs are committed.
func (w *watch) stored(first, jobs int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Since(w.zero.here)
	w.last = max(w.last, at)
	for n := first; n < first+jobs; n++ {
		w.jobs[n].committed = at
		w.closeIf(w.jobs[n].started > 0)
	}
}

// longTransactions is how many are open at a time, and longest how long each at most.
const (
	longTransactions = 16
	longest          = 8 * time.Second
)

// insertLate inserts a job at the beginning of a transaction that stays open for a time
// drawn by lot, or until over is closed, and goes on with the next until then.
func (w *watch) insertLate(ctx context.Context, over <-chan struct{}) {
	conn, err := pgx.ConnectConfig(ctx, w.db.Config().ConnConfig)
	if err != nil {
		w.fail(err)
		return
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for ended := false; !ended; {
		n := w.begin(1, true)
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if err := w.store(ctx, tx, n, 1); err != nil {
				return err
			}
			timer := time.NewTimer(rand.N(longest))
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-over:
				ended = true
			case <-timer.C:
			}
			return ctx.Err()
		})
		if err != nil {
			w.fail(err)
			return
		}
		w.stored(n, 1)
	}
}

// start is the handler. A job may start before its insert has returned.
func (w *watch) start(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < len(w.jobs) && w.jobs[n].started == 0 {
		w.jobs[n].started = time.Since(w.zero.here)
		w.closeIf(w.jobs[n].committed > 0)
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

func (w *watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = errors.Join(w.failed, err)
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
	var waits, late []float64
	for _, m := range w.jobs {
		if m.committed == 0 || m.started == 0 {
			continue
		}
		ms := float64(max(0, m.started-m.committed)) / float64(time.Millisecond)
		if m.long {
			late = append(late, ms)
		} else {
			waits = append(waits, ms)
		}
	}
	r.Jobs, r.LateCommits = len(waits), len(late)
	slices.Sort(waits)
	slices.Sort(late)
	slices.Sort(w.late)
	r.P50, r.P99, r.P999, r.Max =
		quantile(waits, 0.5), quantile(waits, 0.99), quantile(waits, 0.999), quantile(waits, 1)
	r.LateCommitP50, r.LateCommitP99, r.LateCommitMax =
		quantile(late, 0.5), quantile(late, 0.99), quantile(late, 1)
	r.Late = quantile(w.late, 0.99)
	if w.last > 0 {
		r.Rate = rounded(float64(r.Jobs)/w.last.Seconds(), 1)
	}
	r.Buckets = buckets(waits)
	return r
}

// quantile returns the value that a part q of sorted is at or below, or 0 of none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	n := int(math.Ceil(q * float64(len(sorted))))
	return rounded(sorted[max(n, 1)-1], 3)
}

// buckets counts sorted in buckets each twice as wide as the one
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

// The jobs that went before, to warm up, are older.
const waitedSQL = `-- bench.waited
SELECT extract(epoch FROM claimed_at - created_at)::float8 * 1000
  FROM finished_jobs
 WHERE created_at >= $1 AND (args->>'n')::integer <> ALL ($2::integer[])`

// crossCheck adds what the database says of the same jobs.
func (w *watch) crossCheck(ctx context.Context, r *LatencyResult) error {
	long := []int{}
	for n, m := range w.jobs {
		if m.long {
			long = append(long, n)
		}
	}
	rows, _ := w.db.Query(ctx, waitedSQL, w.zero.there, long) // CollectRows returns its error
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
