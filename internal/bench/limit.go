// Here: the limit of a drain by itself: what plain SQL of the same form does.

package bench

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// LimitOptions say what [Limit] measures.
type LimitOptions struct {
	Jobs     int      // of each run; at least 1
	Runs     int      // of the best form; at least 1
	Progress Progress // may be nil
}

// A LimitResult is what the runs come to: each figure is the median of the runs of the
// form that was fastest.
type LimitResult struct {
	Jobs  int        `json:"jobs"` // of each run
	Limit float64    `json:"limit_jobs_per_second"`
	Loops int        `json:"loops"` // of the fastest form, each on a connection
	Batch int        `json:"batch"` // how many jobs each claims at once
	WAL   float64    `json:"wal_bytes_per_job"`
	Hot   float64    `json:"hot_ratio"`
	Runs  []DrainRun `json:"runs"` // in their order
}

// Limit measures how fast plain SQL drains jobs that wait: claimed and finished in
// batches, fenced by token, with the history that a worker leaves, and nothing around
// it. It tries one, two and three loops with batches of 500, 1,000 and 2,000 jobs, and
// repeats the fastest form. One drain's clock runs from when its connections are opened
// until its last COMMIT has been answered, and the history is counted then.
//
// After an error it returns the runs that it has along with it.
func Limit(ctx context.Context, db *pgxpool.Pool, o LimitOptions) (LimitResult, error) {
	if o.Jobs < 1 || o.Runs < 1 {
		return LimitResult{}, fmt.Errorf("bench: limit: %d jobs in %d runs is nothing to measure",
			o.Jobs, o.Runs)
	}
	d := newDrainer(db, DrainOptions{Jobs: o.Jobs, Runs: o.Runs, Progress: o.Progress})
	err := d.measureLimit(ctx)
	all := DrainResult{Jobs: o.Jobs, Runs: d.runs}
	best := all.fastest()
	return LimitResult{
		Jobs: o.Jobs, Limit: best.JobsPerSecond, Loops: best.Loops, Batch: best.Batch,
		WAL: best.WAL, Hot: best.Hot, Runs: d.runs,
	}, err
}

// measureLimit tries all forms in its first round, and keeps to the best one then.
func (d *drainer) measureLimit(ctx context.Context) error {
	for loops := range 3 {
		for _, size := range []int{workerBatch / 2, workerBatch, workerBatch * 2} {
			if err := d.plain(ctx, 0, form{loops + 1, size}); err != nil {
				return err
			}
		}
	}
	for round := 1; round < d.options.Runs; round++ {
		if err := d.plain(ctx, round, d.best()); err != nil {
			return err
		}
	}
	return nil
}

// Sums returns what each form comes to, in the order of their first runs.
func (r LimitResult) Sums() []DrainSum { return DrainResult{Runs: r.Runs}.Sums() }
