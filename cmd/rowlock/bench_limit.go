// Here: "rowlock bench limit".

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
)

func newBenchLimit(b *benchmark) *cobra.Command {
	o := bench.LimitOptions{Jobs: 200_000, Runs: 3}
	v := verb[bench.LimitResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.LimitResult, error) {
			o.Progress = p
			return bench.Limit(ctx, db, o)
		},
		found: func(r bench.LimitResult) bool { return len(r.Runs) > 0 },
		print: printLimit,
	}
	cmd := &cobra.Command{
		Use:   "limit",
		Short: "How fast plain SQL finishes jobs that wait",
		Long: `Limit drains jobs by plain SQL alone: claimed and finished in batches, fenced by
token, with the history that a worker leaves, and no worker around it. So it is what your
server can do with these tables.

It tries one, two and three connections with batches of 500, 1,000 and 2,000 jobs, and
repeats the fastest form until that has as many runs as --runs says. Each figure is the
median of its runs, with the least and the most.` + exitCodes(),
		Example: `  rowlock bench limit
  rowlock bench limit --jobs 1000000 --runs 5
  rowlock bench limit --json | jq .limit_jobs_per_second`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(atLeast("jobs", o.Jobs, 1), atLeast("runs", o.Runs, 1))
			if err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Jobs, "jobs", o.Jobs, "how many `jobs` each run has")
	f.IntVar(&o.Runs, "runs", o.Runs, "how many `runs` the fastest form has")
	return cmd
}

func printLimit(w io.Writer, r bench.LimitResult) error {
	if err := printSums(w, r.Sums()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s jobs/s at %d loops of %d; runs of %d jobs, %s\n",
		number(r.Limit), r.Loops, r.Batch, r.Jobs, checkpoints(r.Runs[0].Checkpoint))
	return err
}
