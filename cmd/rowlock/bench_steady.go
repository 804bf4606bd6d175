// Here: "rowlock bench steady".

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
)

func newBenchSteady(b *benchmark) *cobra.Command {
	o := bench.SteadyOptions{For: 30 * time.Second, Inserters: 2, Batch: 500, Backlog: 20_000}
	v := verb[bench.SteadyResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.SteadyResult, error) {
			o.Progress = p
			return bench.Steady(ctx, db, o)
		},
		found: func(r bench.SteadyResult) bool { return r.PerSecond != nil },
		print: printSteady,
	}
	cmd := &cobra.Command{
		Use:   "steady",
		Short: "How fast one worker finishes jobs while others come in",
		Long: `Steady has one worker with its default settings finish jobs while others are
inserted: as fast as they come, in batches, but so that no more than --backlog of them are
unfinished. The handler does nothing. So it is what goes through the queue for as long as
you like, with vacuum and checkpoints in it.

Jobs are counted by the history, in each second; a warm-up goes before. WAL is what the
server logged for whatever session, so for a job its insert, claim and end. A claim is the
round trip of a batch that records what ended and claims what comes next.` + exitCodes(),
		Example: `  rowlock bench steady
  rowlock bench steady --for 10m --inserters 4
  rowlock bench steady --json | jq .jobs_per_second`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(checkTime("for", o.For, time.Second),
				atLeast("inserters", o.Inserters, 1),
				atLeast("batch", o.Batch, 1), atLeast("backlog", o.Backlog, o.Batch))
			if err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.For, "for", o.For, "for how `long` is measured")
	f.IntVar(&o.Inserters, "inserters", o.Inserters, "how many insert, each on a `connection`")
	f.IntVar(&o.Batch, "batch", o.Batch, "how many `jobs` one inserts at once")
	f.IntVar(&o.Backlog, "backlog", o.Backlog, "unfinished `jobs` at which inserters wait")
	return cmd
}

func printSteady(w io.Writer, r bench.SteadyResult) error {
	rows := newTable(w, "SECONDS", "JOBS/S", "MEDIAN", "MIN", "MAX", "INSERTED/S",
		"WAL BYTES/JOB", "HOT", "CLAIM P50 MS", "P99 MS")
	err := rows.add(strconv.Itoa(r.Seconds), number(r.JobsPerSecond), number(r.Median),
		number(r.Min), number(r.Max), number(r.Inserted), number(r.WAL),
		fmt.Sprintf("%.3f", r.Hot), ms(r.ClaimP50), ms(r.ClaimP99))
	if err := errors.Join(err, rows.flush()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%d jobs were unfinished at the end\n", r.Backlog)
	return err
}
