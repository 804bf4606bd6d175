// Here: how fast handlers are that write in the transaction that completes their job.

package bench

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// TxOptions say what [Tx] measures.
type TxOptions struct {
	Jobs     int      // of each run; at least 1
	Runs     int      // at least 1
	Slots    int      // of the worker; 0 is its default, as many as the pool has connections
	Progress Progress // may be nil
}

// A TxResult is what the runs come to: medians.
type TxResult struct {
	Jobs          int       `json:"jobs"` // of each run
	Slots         int       `json:"slots"`
	JobsPerSecond float64   `json:"jobs_per_second"`
	Limit         float64   `json:"limit_jobs_per_second,omitzero"`
	Ratio         float64   `json:"ratio_to_limit,omitzero"`
	Runs          []float64 `json:"runs"`       // jobs a second of each
	LimitRuns     []float64 `json:"limit_runs"` // transactions a second of each
}

// Tx measures how many jobs a second one worker finishes whose handlers, of
// [queue.HandleTx], do nothing: the transaction, the job's end in it and its COMMIT are
// all there is. The clock runs from when the queue is opened to a worker that stands
// ready until the database says that all jobs are finished.
//
// Its limit is transactions of one row by pgx, as anybody would write them: BEGIN, an
// INSERT, COMMIT, a round trip each, over as many connections as the worker has slots.
// Runs of both alternate, so that noise meets both.
//
// After an error it returns the runs that it has along with it.
func Tx(ctx context.Context, db *pgxpool.Pool, o TxOptions) (r TxResult, err error) {
	if o.Jobs < 1 || o.Runs < 1 || o.Slots < 0 {
		return r, fmt.Errorf("bench: tx: %d jobs on %d slots in %d runs is nothing to measure",
			o.Jobs, o.Slots, o.Runs)
	}
	r.Jobs, r.Slots = o.Jobs, cmp.Or(o.Slots, int(db.Config().MaxConns))
	own, err := withConns(ctx, db, r.Slots)
	if err != nil {
		return r, err
	}
	defer own.Close()
	if _, err := db.Exec(ctx, makeOrdersDDL); err != nil {
		return r, err
	}
	progress := o.Progress.orNone()
	for n := range o.Runs {
		name := fmt.Sprintf("tx %d of %d", n+1, o.Runs)
		took, err := atOnce(ctx, db, o.Jobs, progress, name, func(t *tally) *crew {
			return startCrew(ctx, own, slotsOf(r.Slots), func(w *queue.Worker) {
				queue.HandleTx(w, completing{t})
			})
		})
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		r.Runs = append(r.Runs, rounded(float64(o.Jobs)/took.Seconds(), 1))
		r.JobsPerSecond = median(r.Runs)

		name = fmt.Sprintf("limit %d of %d", n+1, o.Runs)
		limit, err := commitOrders(ctx, own, o.Jobs, r.Slots, func(n int) {
			progress(name, n, o.Jobs)
		})
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		r.LimitRuns = append(r.LimitRuns, limit)
		r.Limit = median(r.LimitRuns)
		r.Ratio = rounded(r.JobsPerSecond/r.Limit, 3)
	}
	return r, nil
}

// A completing is a handler that leaves its transaction to the worker.
type completing struct{ *tally }

// HandleTx does nothing.
func (c completing) HandleTx(context.Context, pgx.Tx, *queue.Job[nothing]) error {
	c.ran()
	return nil
}

// commitOrders commits so many transactions of one row, and returns how many a second.
func commitOrders(
	ctx context.Context, db *pgxpool.Pool, n, conns int, tell func(n int),
) (perSecond float64, err error) {
	if _, err := checkpoint(ctx, db); err != nil {
		return 0, err
	}
	began := time.Now()
	err = inParallel(ctx, conns, n, func(i int) error {
		tell(i + 1)
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			var id int64
			return tx.QueryRow(ctx, orderSQL, "somebody").Scan(&id)
		})
	})
	return rounded(float64(n)/time.Since(began).Seconds(), 1), err
}
