// Here: "rowlock bench pool".

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
)

func newBenchPool(b *benchmark) *cobra.Command {
	o := bench.PoolOptions{Slots: []int{4, 16}, For: 5 * time.Second, Runs: 3}
	v := verb[bench.PoolResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.PoolResult, error) {
			o.Progress = p
			return bench.Pool(ctx, db, o)
		},
		found: func(r bench.PoolResult) bool { return len(r.Slots) > 0 },
		print: printPool,
	}
	cmd := &cobra.Command{
		Use:   "pool",
		Short: "How busy a worker keeps its slots, beside goroutines alone",
		Long: `Pool has one worker finish jobs whose handlers sleep for 1 ms, and beside it as many
goroutines as the worker has slots read numbers from a channel and sleep as long for each:
what a program does that has no queue, and forgets all when it ends. So the ratio is what
is left of a slot's time for the job in it.

The worker's clock runs from when the queue is opened to it, standing ready, until the
database says that all jobs are finished. Runs of both alternate. Each figure is the
median of its runs.` + exitCodes(),
		Example: `  rowlock bench pool
  rowlock bench pool --slots 1,100 --for 10s
  rowlock bench pool --json | jq '.slots[].ratio'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(checkTime("for", o.For, 10*time.Millisecond), atLeast("runs", o.Runs, 1),
				eachAtLeast("slots", o.Slots, 1))
			if err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.Var((*numbers)(&o.Slots), "slots", "`numbers` of slots, each measured by itself")
	f.DurationVar(&o.For, "for", o.For, "how `long` a run would take if nothing but sleep did")
	f.IntVar(&o.Runs, "runs", o.Runs, "how many `runs`")
	return cmd
}

func printPool(w io.Writer, r bench.PoolResult) error {
	rows := newTable(w, "SLOTS", "JOBS/S", "GOROUTINES ALONE", "RATIO", "RUNS", "JOBS OF EACH")
	for _, s := range r.Slots {
		err := rows.add(fmt.Sprint(s.Slots), number(s.JobsPerSecond), number(s.Pool),
			fmt.Sprintf("%.3f", s.Ratio), fmt.Sprint(len(s.Runs)), fmt.Sprint(s.Jobs))
		if err != nil {
			return err
		}
	}
	return rows.flush()
}
