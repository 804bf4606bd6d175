// Here: "rowlock bench burst".

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
)

func newBenchBurst(b *benchmark) *cobra.Command {
	o := bench.BurstOptions{Jobs: 100_000}
	v := verb[bench.BurstResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.BurstResult, error) {
			o.Progress = p
			return bench.Burst(ctx, db, o)
		},
		found: func(r bench.BurstResult) bool { return len(r.Tables) > 0 },
		print: printBurst,
	}
	cmd := &cobra.Command{
		Use:   "burst",
		Short: "How long a batch takes when many jobs land at once",
		Long: `Burst has many jobs land in one transaction while a worker with its default settings
stands idle, and tells how long the longest batch took that finished and claimed, on

  virgin    a table that was just made
  analysed  one that was empty when ANALYZE looked
  drained   one that a worker has just drained of as many jobs
  rows      one with 300 jobs that wait, as ANALYZE knows

Autovacuum is off for it, so nobody tells the planner what has landed.` + exitCodes(),
		Example: `  rowlock bench burst
  rowlock bench burst --jobs 1000000
  rowlock bench burst --json | jq '.tables[].max_batch_ms'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := atLeast("jobs", o.Jobs, 1); err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	cmd.Flags().IntVar(&o.Jobs, "jobs", o.Jobs, "how many `jobs` land")
	return cmd
}

func printBurst(w io.Writer, r bench.BurstResult) error {
	rows := newTable(w, "TABLE", "LONGEST BATCH MS", "P50", "P99", "BATCHES", "JOBS/S")
	for _, t := range r.Tables {
		err := rows.add(t.Table, ms(t.MaxBatch), ms(t.P50), ms(t.P99), fmt.Sprint(t.Batches),
			number(t.JobsPerSecond))
		if err != nil {
			return err
		}
	}
	if err := rows.flush(); err != nil {
		return err
	}
	for _, t := range r.Tables {
		_, err := fmt.Fprintf(w, "\nbatches, %s\n%s", t.Table, histogram(t.Buckets))
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%d jobs landed on each\n", r.Jobs)
	return err
}
