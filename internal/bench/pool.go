// Here: how busy a worker keeps its slots.

package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolOptions say what [Pool] measures.
type PoolOptions struct {
	Slots    []int         // each at least 1
	For      time.Duration // how long a run would take without any overhead
	Runs     int           // at least 1
	Progress Progress      // may be nil
}

// A PoolResult is what was found for each number of slots.
type PoolResult struct {
	Slots []PoolSlots `json:"slots"`
}

// PoolSlots are what the runs with a number of slots come to: medians.
type PoolSlots struct {
	Slots         int       `json:"slots"`
	Jobs          int       `json:"jobs"` // of each run
	JobsPerSecond float64   `json:"jobs_per_second"`
	Pool          float64   `json:"pool_jobs_per_second,omitzero"` // of goroutines alone
	Ratio         float64   `json:"ratio,omitzero"`
	Runs          []float64 `json:"runs"` // jobs a second of each
	PoolRuns      []float64 `json:"pool_runs"`
}

// napTime is how long the handler sleeps.
const napTime = time.Millisecond

// Pool measures how busy a worker keeps its slots: with handlers that sleep for 1 ms,
// beside as many goroutines that read numbers from a channel and sleep as long for each.
// A worker's clock runs from when the queue is opened to it, standing ready, until the
// database says that all jobs are finished. Runs of both alternate, so that noise meets
// both.
//
// After an error it returns the runs that it has along with it.
func Pool(ctx context.Context, db *pgxpool.Pool, o PoolOptions) (r PoolResult, err error) {
	if len(o.Slots) == 0 || o.For < napTime || o.Runs < 1 {
		return r, fmt.Errorf("bench: pool: %d runs of %v on slots %v is nothing to measure",
			o.Runs, o.For, o.Slots)
	}
	for _, slots := range o.Slots {
		s := PoolSlots{Slots: slots, Jobs: max(1, slots*int(o.For/napTime))}
		for n := range o.Runs {
			err := s.run(ctx, db, fmt.Sprintf("%d slots, %d of %d", slots, n+1, o.Runs),
				o.Progress.orNone())
			if err != nil {
				if s.Runs != nil {
					r.Slots = append(r.Slots, s)
				}
				return r, err
			}
		}
		r.Slots = append(r.Slots, s)
	}
	return r, nil
}

// run has a worker and then a pool do the jobs once.
func (s *PoolSlots) run(ctx context.Context, db *pgxpool.Pool, name string, p Progress) error {
	took, err := atOnce(ctx, db, s.Jobs, p, name, func(t *tally) *crew {
		return startCrew(ctx, db, slotsOf(s.Slots), doing(func(int) {
			time.Sleep(napTime)
			t.ran()
		}))
	})
	if err != nil {
		return err
	}
	s.Runs = append(s.Runs, rounded(float64(s.Jobs)/took.Seconds(), 1))
	s.JobsPerSecond = median(s.Runs)
	began := time.Now()
	err = inParallel(ctx, s.Slots, s.Jobs, func(int) error {
		time.Sleep(napTime)
		return nil
	})
	if err != nil {
		return err
	}
	s.PoolRuns = append(s.PoolRuns, rounded(float64(s.Jobs)/time.Since(began).Seconds(), 1))
	s.Pool = median(s.PoolRuns)
	s.Ratio = rounded(s.JobsPerSecond/s.Pool, 3)
	return nil
}

// inParallel is the plain pool of goroutines: so many read the numbers below n from a
// channel and call f with each. It returns the first error.
func inParallel(ctx context.Context, goroutines, n int, f func(n int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int, goroutines)
	var running sync.WaitGroup
	for range goroutines {
		running.Go(func() {
			for n := range numbers {
				if err := f(n); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case <-ctx.Done():
		case numbers <- i:
		}
	}
	close(numbers)
	running.Wait()
	return context.Cause(ctx)
}
