// Here: "rowlock bench latency".

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/cli"
)

func newBenchLatency(b *benchmark) *cobra.Command {
	o := bench.LatencyOptions{Rate: 200, For: 15 * time.Second}
	cmd := &cobra.Command{
		Use:   "latency",
		Short: "How soon an idle worker starts a job",
		Long: `Latency inserts jobs, each in a transaction of its own, and measures how long they
wait: from when the insert has returned until the handler starts, by the clock of this
process, which does both. So it is the latency of a program that works the jobs it
inserts itself.

Jobs come by a schedule that waits for nothing, so a worker that falls behind is seen.
With --rate 0 the next job comes a moment after the last one was started. A few jobs go
before and are not measured.

What the database says of the same jobs is told too: from the INSERT, so the commit is
part of it, to the start of the transaction that claimed the job, which came back later.` +
			exitCodes(),
		Example: `  rowlock bench latency
  rowlock bench latency --rate 1000 --for 1m
  rowlock bench latency --rate 0 --json | jq .p99_ms`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			const fastest = 100_000
			switch {
			case !(o.Rate >= 0 && o.Rate <= fastest):
				return cli.Usagef("--rate is %v: give jobs a second, up to %d", o.Rate, fastest)
			case o.For <= 0 || o.For > time.Hour:
				return cli.Usagef("--for is %v: give a time up to 1h, such as 15s", o.For)
			}
			return b.run(cmd, func(
				ctx context.Context, db *pgxpool.Pool, p bench.Progress, f *facts,
			) error {
				o.Progress = p
				result, err := bench.Latency(ctx, db, o)
				if result.Jobs == 0 {
					return err
				}
				return errors.Join(err, printLatency(cmd.OutOrStdout(), f, result, b.json))
			})
		},
	}
	f := cmd.Flags()
	f.Float64Var(&o.Rate, "rate", o.Rate, "`jobs` inserted a second; 0 inserts one at a time")
	f.DurationVar(&o.For, "for", o.For, "for how `long` jobs are inserted")
	return cmd
}

// A waited is what latency has found, as --json prints it.
type waited struct {
	bench.LatencyResult
	*facts
}

func printLatency(w io.Writer, f *facts, r bench.LatencyResult, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, waited{r, f})
	}
	if err := f.print(w); err != nil {
		return err
	}
	rows := newTable(w, "MS", "P50", "P99", "P99.9", "MAX")
	err := rows.add("commit to start", ms(r.P50), ms(r.P99), ms(r.P999), ms(r.Max))
	if err == nil && r.DatabaseMax != 0 { // else it was not asked any more
		err = rows.add("insert to claim", ms(r.DatabaseP50), ms(r.DatabaseP99), "",
			ms(r.DatabaseMax))
	}
	if err := errors.Join(err, rows.flush()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s\n%d jobs, %.1f a second\n", histogram(r.Buckets), r.Jobs, r.Rate)
	return err
}

func ms(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// histogram draws a line for each bucket. Their length grows with the logarithm, so that
// one slow job of a million is seen.
func histogram(buckets []bench.Bucket) string {
	const perTenfold = 10
	var b strings.Builder
	for _, bucket := range buckets {
		bar := 0
		if bucket.Jobs > 0 {
			bar = 1 + int(perTenfold*math.Log10(float64(bucket.Jobs)))
		}
		line := fmt.Sprintf("up to %8g ms  %8d  %s", bucket.UpTo, bucket.Jobs,
			strings.Repeat("#", bar))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
