// Here: "rowlock bench drain".

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/cli"
)

func newBenchDrain(b *benchmark) *cobra.Command {
	o := bench.DrainOptions{Jobs: 200_000, Runs: 3}
	v := verb[bench.DrainResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.DrainResult, error) {
			o.Progress = p
			return bench.Drain(ctx, db, o)
		},
		found: func(r bench.DrainResult) bool { return len(r.Runs) > 0 },
		print: printDrain,
	}
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "How fast one worker finishes jobs that wait",
		Long: `Drain inserts jobs and lets one worker with its default settings finish them. The
handler does nothing, so what is measured is the queue. The clock runs from the start of
the worker until the database says that all jobs are finished.

The limit is the same work in plain SQL: the same batches of finish and claim, fenced by
token, with the same history, by the number of connections and the size of batches that
the first round found best. Runs of both alternate. Each figure is the median of its runs,
with the least and the most.

WAL is what the server logged meanwhile, other sessions' included. HOT is the part of the
updates of jobs that wrote no index entry. Before the jobs of a run are inserted there is
a CHECKPOINT, if your role may make one, so that none comes between them and their end:
the first write of a page after a checkpoint goes to the WAL whole, which jobs that wait
for long pay for.` + exitCodes(),
		Example: `  rowlock bench drain
  rowlock bench drain --jobs 1000000 --slots 100
  rowlock bench drain --runs 5 --json | jq .ratio_to_limit`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Jobs < 1:
				return cli.Usagef("--jobs is %d: give at least 1", o.Jobs)
			case o.Runs < 1:
				return cli.Usagef("--runs is %d: give at least 1", o.Runs)
			case o.Slots < 0 || o.Slots > 1_000_000:
				return cli.Usagef("--slots is %d: give up to 1000000; 0 is the default", o.Slots)
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

func printDrain(w io.Writer, r bench.DrainResult) error {
	if err := printSums(w, r.Sums()); err != nil {
		return err
	}
	ratio := "unknown"
	if r.Ratio > 0 {
		ratio = fmt.Sprintf("%.3f", r.Ratio)
	}
	_, err := fmt.Fprintf(w, "\nratio to the limit: %s; runs of %d jobs, %s\n",
		ratio, r.Jobs, checkpoints(r.Runs[0].Checkpoint))
	return err
}

// printSums prints a row for each kind of run.
func printSums(w io.Writer, sums []bench.DrainSum) error {
	rows := newTable(w, "WHAT", "RUNS", "JOBS/S", "MIN", "MAX", "WAL BYTES/JOB", "HOT")
	for _, s := range sums {
		name := s.What
		switch {
		case s.Loops == 1:
			name += fmt.Sprintf(", 1 loop of %d", s.Batch)
		case s.Loops > 1:
			name += fmt.Sprintf(", %d loops of %d", s.Loops, s.Batch)
		}
		err := rows.add(name, strconv.Itoa(s.Runs), number(s.JobsPerSecond), number(s.Min),
			number(s.Max), number(s.WAL), fmt.Sprintf("%.3f", s.Hot))
		if err != nil {
			return err
		}
	}
	return rows.flush()
}

// checkpoints says whether there were any.
func checkpoints(made bool) string {
	if made {
		return "with a CHECKPOINT before each"
	}
	return "without CHECKPOINTs, which your role may not make"
}

// number is x for people.
func number(x float64) string { return strconv.FormatFloat(x, 'f', 0, 64) }
