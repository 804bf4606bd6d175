// Here: "rowlock bench tx".

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
)

func newBenchTx(b *benchmark) *cobra.Command {
	o := bench.TxOptions{Jobs: 20_000, Runs: 3}
	v := verb[bench.TxResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.TxResult, error) {
			o.Progress = p
			return bench.Tx(ctx, db, o)
		},
		found: func(r bench.TxResult) bool { return len(r.Runs) > 0 },
		print: printTx,
	}
	cmd := &cobra.Command{
		Use:   "tx",
		Short: "How fast handlers are that complete their job in a transaction",
		Long: `Tx has one worker finish jobs whose handlers (HandleTx) run in the transaction that
completes their job, and write nothing: a BEGIN, the end of the job and a COMMIT are all
there is. The clock runs from when the queue is opened to a worker that stands ready until
the database says that all jobs are finished.

The limit is transactions of one row in plain SQL: BEGIN, INSERT and COMMIT, a round trip
each, over as many connections as the worker has slots. Runs of both alternate. Each
figure is the median of its runs.` + exitCodes(),
		Example: `  rowlock bench tx
  rowlock bench tx --slots 16 --jobs 50000
  rowlock bench tx --json | jq .ratio_to_limit`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(atLeast("jobs", o.Jobs, 1), atLeast("runs", o.Runs, 1),
				atLeast("slots", o.Slots, 0))
			if err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Jobs, "jobs", o.Jobs, "how many `jobs` each run has")
	f.IntVar(&o.Runs, "runs", o.Runs, "how many `runs`")
	f.IntVar(&o.Slots, "slots", 0, "`slots` of the worker; 0 is the default, its connections")
	return cmd
}

func printTx(w io.Writer, r bench.TxResult) error {
	rows := newTable(w, "SLOTS", "JOBS/S", "PLAIN TRANSACTIONS/S", "RATIO")
	err := rows.add(fmt.Sprint(r.Slots), number(r.JobsPerSecond), number(r.Limit),
		fmt.Sprintf("%.3f", r.Ratio))
	if err := errors.Join(err, rows.flush()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nruns: %d of %d jobs\n", len(r.Runs), r.Jobs)
	return err
}
