// Here: "rowlock bench backlog".

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/cli"
)

func newBenchBacklog(b *benchmark) *cobra.Command {
	o := bench.BacklogOptions{Jobs: 100_000, Runs: 3, Scale: 1}
	full := false
	v := verb[bench.BacklogResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.BacklogResult, error) {
			o.Progress = p
			return bench.Backlog(ctx, db, o)
		},
		found: func(r bench.BacklogResult) bool { return len(r.Scenarios) > 0 },
		print: printBacklog,
	}
	cmd := &cobra.Command{
		Use:   "backlog",
		Short: "What a job costs when the tables are full",
		Long: `Backlog has one worker with its default settings finish --jobs jobs from tables that
are full, and from a small one that has few more than those:

  1m          a million jobs that are due
  scheduled   a million that are due tomorrow
  dead        five million dead ones
  queues      a million in ten thousand queues, of which the worker serves ten
  priorities  a million, of four priorities
  10m         ten million that are due; with --full

The tables are filled anew for each run, autovacuum is off for them and nothing analyzes
them, so the planner knows nothing, as after a burst. The clock runs from the first claim
until the database has answered for so many jobs. Buffers are the pages that the database
was asked for, from memory or not. Each figure is the median of its runs.` + exitCodes(),
		Example: `  rowlock bench backlog
  rowlock bench backlog --scenario 1m,scheduled --scale 0.1
  rowlock bench backlog --full --json | jq '.scenarios[] | .scenario, .ratio_to_small'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkBacklog(&o, full); err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.Scenarios, "scenario", nil, "`names` of those to measure")
	f.Float64Var(&o.Scale, "scale", o.Scale, "what the sizes are `multiplied` with")
	f.IntVar(&o.Jobs, "jobs", o.Jobs, "how many `jobs` are worked in each run")
	f.IntVar(&o.Runs, "runs", o.Runs, "how many `runs` of each")
	f.BoolVar(&o.Analyze, "analyze", false, "ANALYZE the tables when they are full")
	f.BoolVar(&full, "full", false, "ten million, too")
	return cmd
}

// checkBacklog returns what is wrong with the flags, and fills in which scenarios are
// meant.
func checkBacklog(o *bench.BacklogOptions, full bool) error {
	const ten, smallest, largest = "10m", 0.0001, 100
	err := cmp.Or(atLeast("jobs", o.Jobs, 1), atLeast("runs", o.Runs, 1))
	if err != nil {
		return err
	}
	if !(o.Scale >= smallest && o.Scale <= largest) {
		return cli.Usagef("--scale is %v: give a number from %v to %v", o.Scale, smallest, largest)
	}
	names := bench.BacklogScenarios()
	for _, name := range o.Scenarios {
		if !slices.Contains(names, name) {
			return cli.Usagef("--scenario %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	if o.Scenarios == nil {
		o.Scenarios = slices.DeleteFunc(names, func(name string) bool { return name == ten })
	}
	if full {
		o.Scenarios = append(o.Scenarios, ten)
	}
	return nil
}

func printBacklog(w io.Writer, r bench.BacklogResult) error {
	rows := newTable(w, "TABLES", "ROWS BESIDE", "JOBS/S", "WAL BYTES/JOB", "BUFFERS/JOB",
		"TIME TO SMALL", "RUNS")
	for _, s := range r.Scenarios {
		ratio := ""
		if s.Ratio > 0 {
			ratio = fmt.Sprintf("%.3f", s.Ratio)
		}
		err := rows.add(s.Scenario, fmt.Sprint(s.Rows), number(s.JobsPerSecond), number(s.WAL),
			fmt.Sprintf("%.1f", s.Buffers), ratio, fmt.Sprint(len(s.Runs)))
		if err != nil {
			return err
		}
	}
	if err := rows.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nruns of %d jobs\n", r.Jobs)
	return err
}
