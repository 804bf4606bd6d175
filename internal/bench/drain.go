// Here: how fast a worker drains the queue.

package bench

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// DrainOptions say what [Drain] measures.
type DrainOptions struct {
	Jobs     int      // of each run; at least 1
	Runs     int      // at least 1
	Slots    int      // of the worker; 0 is its default, as many as the pool has connections
	Progress Progress // may be nil
}

// A DrainRun is one drain of all jobs.
type DrainRun struct {
	What          string  `json:"what"`            // "drain", or "limit" by plain SQL
	Loops         int     `json:"loops,omitempty"` // of plain SQL, each on a connection
	Batch         int     `json:"batch,omitempty"` // jobs that plain SQL claims at once
	Seconds       float64 `json:"seconds"`
	JobsPerSecond float64 `json:"jobs_per_second"`
	// WAL is what the server has logged from the first job to the last, for whatever
	// session.
	WAL        float64 `json:"wal_bytes_per_job"`
	Hot        float64 `json:"hot_ratio"`
	Checkpoint bool    `json:"checkpoint"` // whether one went before
}

// A DrainResult is what the runs come to. Each figure is a median, and zero if there
// was no run for it.
type DrainResult struct {
	Jobs          int        `json:"jobs"` // of each run
	JobsPerSecond float64    `json:"jobs_per_second"`
	Limit         float64    `json:"limit_jobs_per_second,omitzero"` // by the best form
	Ratio         float64    `json:"ratio_to_limit,omitzero"`
	WAL           float64    `json:"wal_bytes_per_job"`
	Hot           float64    `json:"hot_ratio"`
	Runs          []DrainRun `json:"runs"` // in their order
}

// Drain measures how fast one worker, with its default settings and a handler that does
// nothing, finishes jobs that wait, until the database says that all are finished. The
// start of the worker is part of that.
//
// Its limit is the same done by plain SQL: the same batches of finish and claim, the
// same history, by the number of loops and the size of batches that are best. Runs of
// both alternate, so that noise meets both.
//
// After an error it returns the runs that it has along with it.
func Drain(ctx context.Context, db *pgxpool.Pool, o DrainOptions) (DrainResult, error) {
	if o.Jobs < 1 || o.Runs < 1 {
		return DrainResult{}, fmt.Errorf("bench: drain: %d jobs in %d runs is nothing to measure",
			o.Jobs, o.Runs)
	}
	d := newDrainer(db, o)
	err := d.measure(ctx)
	return d.result(), err
}

// A drainer is one measurement.
type drainer struct {
	db       *pgxpool.Pool
	options  DrainOptions
	progress Progress
	runs     []DrainRun
}

func newDrainer(db *pgxpool.Pool, o DrainOptions) *drainer {
	return &drainer{db: db, options: o, progress: o.Progress.orNone()}
}

const worker, limit = "drain", "limit"

// measure makes the runs. The first round finds out which form is best for plain SQL,
// and the others keep to that.
func (d *drainer) measure(ctx context.Context) error {
	for round := range d.options.Runs {
		name := fmt.Sprintf("drain %d of %d", round+1, d.options.Runs)
		if err := d.run(ctx, name, DrainRun{What: worker}); err != nil {
			return err
		}
		var err error
		if round == 0 {
			err = d.search(ctx)
		} else {
			err = d.plain(ctx, round, d.best())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// search finds the best form in few runs: the number of loops at the size of a worker's
// batches, then the size at that number.
func (d *drainer) search(ctx context.Context) error {
	for loops := range 3 {
		if err := d.plain(ctx, 0, form{loops + 1, workerBatch}); err != nil {
			return err
		}
	}
	loops := d.best().loops
	for _, size := range []int{workerBatch / 2, workerBatch * 2} {
		if err := d.plain(ctx, 0, form{loops, size}); err != nil {
			return err
		}
	}
	return nil
}

// plain drains by plain SQL once.
func (d *drainer) plain(ctx context.Context, round int, f form) error {
	name := fmt.Sprintf("limit %d of %d, %d loops of %d", round+1, d.options.Runs, f.loops, f.batch)
	return d.run(ctx, name, DrainRun{What: limit, Loops: f.loops, Batch: f.batch})
}

// run loads the jobs and drains them once.
func (d *drainer) run(ctx context.Context, name string, r DrainRun) error {
	jobs := d.options.Jobs
	// Before the load, so that a run's pages are new in the log, as those of jobs are that
	// are worked soon: none goes there whole for a second time.
	var err error
	if r.Checkpoint, err = checkpoint(ctx, d.db); err != nil {
		return err
	}
	last, err := preload(ctx, d.db, jobs, d.progress)
	if err != nil {
		return fmt.Errorf("preload: %w", err)
	}
	before, err := readCounters(ctx, d.db)
	if err != nil {
		return err
	}
	l := &load{d.db, jobs, last}
	began := time.Now()
	var (
		ended   time.Time
		drained counters
	)
	tell := func(n int64) { d.progress(name, min(int(n), jobs), jobs) }
	if r.What == worker {
		ended, drained, err = d.byWorker(ctx, l, tell)
	} else {
		ended, drained, err = d.plainly(ctx, l, form{r.Loops, r.Batch}, tell)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	after, err := settled(ctx, d.db, before.updates+int64(jobs))
	if err != nil {
		return err
	}
	took := ended.Sub(began).Seconds()
	r.Seconds = rounded(took, 3)
	r.JobsPerSecond = rounded(float64(jobs)/took, 1)
	r.WAL = rounded((drained.wal-before.wal)/float64(jobs), 1)
	r.Hot = rounded(float64(after.hot-before.hot)/float64(after.updates-before.updates), 4)
	d.runs = append(d.runs, r)
	return nil
}

// byWorker drains l by a worker, and returns when it was drained.
func (d *drainer) byWorker(
	ctx context.Context, l *load, tell func(int64),
) (ended time.Time, at counters, err error) {
	t := newTally(l.jobs)
	c := startCrew(ctx, d.db, slotsOf(d.options.Slots), doing(func(int) { t.ran() }))
	defer func() { err = c.leave(err) }()
	if ended, err = l.drained(ctx, c, t, tell); err != nil {
		return ended, at, err
	}
	at, err = readCounters(ctx, d.db)
	return ended, at, err
}

// plainly drains l by plain SQL, and returns when it was drained.
func (d *drainer) plainly(
	ctx context.Context, l *load, f form, tell func(int64),
) (ended time.Time, at counters, err error) {
	var finished atomic.Int64
	done := make(chan error, 1)
	go func() { done <- drainPlainly(ctx, d.db, f, &finished) }()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case err = <-done: // also when ctx has ended
			running = false
		case <-ticker.C:
		}
		tell(finished.Load())
	}
	ended = time.Now() // the last COMMIT has been answered
	if err != nil {
		return ended, at, err
	}
	if at, err = readCounters(ctx, d.db); err != nil {
		return ended, at, err
	}
	if finished.Load() != int64(l.jobs) {
		return ended, at, fmt.Errorf("%d of %d jobs were there", finished.Load(), l.jobs)
	}
	_, err = l.awaitFinished(ctx, func() error { return nil })
	return ended, at, err
}

// A DrainSum is what the runs of a kind come to: medians, but for Min and Max.
type DrainSum struct {
	What          string
	Loops, Batch  int // of plain SQL
	Runs          int
	JobsPerSecond float64
	Min, Max      float64
	WAL           float64
	Hot           float64
}

// Sums returns what each kind of run comes to, in the order of their first runs.
func (r DrainResult) Sums() (sums []DrainSum) {
	for i, first := range r.Runs {
		same := func(o DrainRun) bool {
			return o.What == first.What && o.Loops == first.Loops && o.Batch == first.Batch
		}
		if slices.ContainsFunc(r.Runs[:i], same) {
			continue
		}
		var speeds, wals, hots []float64
		for _, o := range r.Runs[i:] {
			if same(o) {
				speeds = append(speeds, o.JobsPerSecond)
				wals, hots = append(wals, o.WAL), append(hots, o.Hot)
			}
		}
		sums = append(sums, DrainSum{
			What: first.What, Loops: first.Loops, Batch: first.Batch, Runs: len(speeds),
			JobsPerSecond: median(speeds), Min: slices.Min(speeds), Max: slices.Max(speeds),
			WAL: median(wals), Hot: median(hots),
		})
	}
	return sums
}

// median returns the value in the middle, or between the two that are.
func median(all []float64) float64 {
	slices.Sort(all)
	n := len(all)
	if n == 0 {
		return 0
	}
	return (all[(n-1)/2] + all[n/2]) / 2
}

// result sums up the runs so far.
func (d *drainer) result() (r DrainResult) {
	r = DrainResult{Jobs: d.options.Jobs, Runs: d.runs}
	for _, s := range r.Sums() {
		if s.What == worker {
			r.JobsPerSecond, r.WAL, r.Hot = s.JobsPerSecond, s.WAL, s.Hot
		}
	}
	r.Limit = r.fastest().JobsPerSecond
	if r.Limit > 0 {
		r.Ratio = rounded(r.JobsPerSecond/r.Limit, 3)
	}
	return r
}

// fastest returns the form of plain SQL that was fastest, by its median.
func (r DrainResult) fastest() (best DrainSum) {
	for _, s := range r.Sums() {
		if s.What == limit && s.JobsPerSecond > best.JobsPerSecond {
			best = s
		}
	}
	return best
}

func (d *drainer) best() form {
	s := DrainResult{Runs: d.runs}.fastest()
	return form{s.Loops, s.Batch}
}
