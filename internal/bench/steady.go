// Here: inserts and work at the same time.

package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// SteadyOptions say what [Steady] measures.
type SteadyOptions struct {
	For       time.Duration // at least a second
	Inserters int           // at least 1, each on a connection
	Batch     int           // jobs that an inserter inserts at once; at least 1
	Backlog   int           // inserted and unfinished jobs, at which inserters wait
	Progress  Progress      // may be nil
}

// A SteadyResult is what came in and went out. Its seconds are whole ones.
type SteadyResult struct {
	Seconds       int     `json:"seconds"`
	JobsPerSecond float64 `json:"jobs_per_second"` // finished, by the history
	Median        float64 `json:"median_per_second"`
	Min           float64 `json:"min_per_second"`
	Max           float64 `json:"max_per_second"`
	Inserted      float64 `json:"inserted_per_second"`
	Backlog       int     `json:"backlog"`                    // when it ended
	ClaimP50      float64 `json:"claim_p50_ms"`               // a batch of finish and claim
	ClaimP99      float64 `json:"claim_p99_ms"`               //
	WAL           float64 `json:"wal_bytes_per_job,omitzero"` // of a job, insert included
	Hot           float64 `json:"hot_ratio,omitzero"`
	PerSecond     []int   `json:"per_second"` // finished in each second
}

// Steady measures how many jobs a second one worker, with its default settings and a
// handler that does nothing, finishes while others insert: as fast as they can, but so
// that no more than a backlog is unfinished. Finished is what the history says, second
// by second. A short warm-up goes before and is not measured.
//
// After an error it returns what it has along with it.
func Steady(ctx context.Context, db *pgxpool.Pool, o SteadyOptions) (r SteadyResult, err error) {
	if o.For < time.Second || o.Inserters < 1 || o.Batch < 1 || o.Backlog < o.Batch {
		return r, fmt.Errorf("bench: steady: %d inserters of %d jobs up to %d for %v are nothing "+
			"to measure", o.Inserters, o.Batch, o.Backlog, o.For)
	}
	f, err := startFlow(ctx, db, supply{
		inserters: o.Inserters, batch: o.Batch, backlog: o.Backlog,
	})
	if err != nil {
		return r, err
	}
	r, err = f.steady(ctx, o)
	return r, f.end(err)
}

// steady measures a flow that has just been started.
func (f *flow) steady(ctx context.Context, o SteadyOptions) (r SteadyResult, err error) {
	progress := o.Progress.orNone()
	tell := func(what string, of time.Duration) func(time.Duration) {
		return func(d time.Duration) { progress(what, int(d.Seconds()), int(of.Seconds())) }
	}
	warm := min(3*time.Second, o.For/2)
	if err := f.crew.ready(ctx); err != nil {
		return r, err
	}
	if err := f.watch(ctx, warm, tell("warm-up, seconds", warm)); err != nil {
		return r, err
	}
	zero, err := readInstant(ctx, f.db)
	if err != nil {
		return r, err
	}
	before, err := readCounters(ctx, f.db)
	if err != nil {
		return r, err
	}
	inserted := f.inserted.Load()
	failed := f.watch(ctx, o.For, tell("steady, seconds", o.For))
	inserted = f.inserted.Load() - inserted
	took := time.Since(zero.here)

	ctx, cancel := afterwards(ctx)
	defer cancel()
	after, err := readCounters(ctx, f.db)
	if err != nil {
		return r, cmp.Or(failed, err)
	}
	if r.Backlog, err = unfinished(ctx, f.db); err != nil {
		return r, cmp.Or(failed, err)
	}
	r.Seconds = int(took.Seconds())
	if r.Seconds == 0 {
		return r, failed
	}
	if r.PerSecond, err = pace(ctx, f.db, zero.there, r.Seconds); err != nil {
		return r, cmp.Or(failed, err)
	}
	r.sum()
	r.Inserted = rounded(float64(inserted)/took.Seconds(), 1)
	whole := float64(r.Seconds) / took.Seconds() // counters ran a little longer
	if jobs := r.JobsPerSecond * float64(r.Seconds); jobs > 0 {
		r.WAL = rounded((after.wal-before.wal)*whole/jobs, 1)
	}
	if after.updates > before.updates {
		r.Hot = rounded(float64(after.hot-before.hot)/float64(after.updates-before.updates), 4)
	}
	ms := trips(f.probe.since(zero.here), zero.here, zero.here.Add(took))
	r.ClaimP50, r.ClaimP99 = quantile(ms, 0.5), quantile(ms, 0.99)
	return r, failed
}

// sum sums up the seconds.
func (r *SteadyResult) sum() {
	var all []float64
	sum := 0.0
	for _, n := range r.PerSecond {
		all, sum = append(all, float64(n)), sum+float64(n)
	}
	r.JobsPerSecond = rounded(sum/float64(len(all)), 1)
	r.Min, r.Max, r.Median = slices.Min(all), slices.Max(all), median(all)
}

const unfinishedSQL = `-- bench.unfinished
SELECT count(*) FROM jobs`

func unfinished(ctx context.Context, db *pgxpool.Pool) (jobs int, err error) {
	err = db.QueryRow(ctx, unfinishedSQL).Scan(&jobs)
	return jobs, err
}
