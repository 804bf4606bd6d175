// Here: "rowlock bench insert".

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/cli"
)

func newBenchInsert(b *benchmark) *cobra.Command {
	o := bench.InsertOptions{Jobs: 2000, Batch: 100_000, Runs: 3}
	v := verb[bench.InsertResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.InsertResult, error) {
			o.Progress = p
			return bench.Insert(ctx, db, o)
		},
		found: func(r bench.InsertResult) bool { return len(r.Single.Runs) > 0 },
		print: printInsert,
	}
	cmd := &cobra.Command{
		Use:   "insert",
		Short: "What an insert costs, beside plain SQL",
		Long: `Insert inserts jobs over one connection in three ways, and beside each stores the
same rows by plain SQL over the same connection, in turns:

  insert        one job in a transaction of its own; beside it an INSERT
  insert in tx  one job as the third statement of a transaction that writes two other
                rows; beside it an INSERT as the third
  insert batch  many jobs at once; beside it a COPY

Each figure is the median of its runs. Most of what a single insert takes is the way to
the server and its wait for the disk.` + exitCodes(),
		Example: `  rowlock bench insert
  rowlock bench insert --jobs 10000 --batch 1000000
  rowlock bench insert --json | jq .insert_batch.ratio`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Jobs < 1:
				return cli.Usagef("--jobs is %d: give at least 1", o.Jobs)
			case o.Batch < 1:
				return cli.Usagef("--batch is %d: give at least 1", o.Batch)
			case o.Runs < 1:
				return cli.Usagef("--runs is %d: give at least 1", o.Runs)
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Jobs, "jobs", o.Jobs, "how many `jobs` are inserted one by one in each run")
	f.IntVar(&o.Batch, "batch", o.Batch, "how many `jobs` a batch has")
	f.IntVar(&o.Runs, "runs", o.Runs, "how many `runs`")
	return cmd
}

func printInsert(w io.Writer, r bench.InsertResult) error {
	rows := newTable(w, "WHAT", "JOBS/S", "PLAIN SQL", "RATIO")
	for _, c := range []struct {
		name string
		bench.Comparison
	}{{"insert", r.Single}, {"insert in tx", r.InTx}, {"insert batch", r.Many}} {
		if len(c.Runs) == 0 { // interrupted before
			continue
		}
		err := rows.add(c.name, number(c.JobsPerSecond), number(c.Plain),
			fmt.Sprintf("%.3f", c.Ratio))
		if err != nil {
			return err
		}
	}
	if err := rows.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nruns: %d of %d jobs, and of a batch of %d\n",
		len(r.Single.Runs), r.Jobs, r.Batch)
	return err
}
