// Here: "rowlock bench latency".

package main

import (
	"cmp"
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
	o := bench.LatencyOptions{
		Rate: 200, For: 15 * time.Second, Through: bench.ThroughTx, Batch: 1,
	}
	v := verb[bench.LatencyResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.LatencyResult, error) {
			o.Progress = p
			return bench.Latency(ctx, db, o)
		},
		found: func(r bench.LatencyResult) bool { return r.Jobs > 0 },
		print: printLatency,
	}
	cmd := &cobra.Command{
		Use:   "latency",
		Short: "How soon an idle worker starts a job",
		Long: `Latency inserts jobs, each in a transaction of its own, and measures how long they
wait: from when the COMMIT has returned until the handler starts, by the clock of this
process, which does both. The worker does not see such an insert: a NOTIFY wakes it, or it
is awake. With --through pool it is woken as a program wakes itself that works the jobs it
inserts. With --poll-only nothing wakes it, as where LISTEN does not work.

Jobs come by a schedule that waits for nothing, so a worker that falls behind is seen, and
so are inserts that do: it is told how long after they were due they began. With --rate 0
the next job comes a moment after the last one was started. A few jobs go before and are
not measured.

With --long-tx, 16 transactions beside them insert a job each, stay open for up to 8 s,
and go on with the next: how long these jobs wait after their COMMIT is told by itself.

What the database says of the same jobs is told too: from the INSERT, so the commit is
part of it, to the start of the transaction that claimed the job, which came back later.` +
			exitCodes(),
		Example: `  rowlock bench latency
  rowlock bench latency --rate 5000 --for 1m --long-tx
  rowlock bench latency --poll-only
  rowlock bench latency --rate 0 --json | jq .p99_ms`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(checkRate(o.Rate), checkTime("for", o.For, 0),
				atLeast("batch", o.Batch, 1), checkThrough(o))
			if err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.Float64Var(&o.Rate, "rate", o.Rate, "`jobs` inserted a second; 0 inserts one at a time")
	f.DurationVar(&o.For, "for", o.For, "for how `long` jobs are inserted")
	f.StringVar(&o.Through, "through", o.Through, "insert through a `tx` of one's own, or a pool")
	f.IntVar(&o.Batch, "batch", o.Batch, "how many `jobs` a transaction inserts")
	f.BoolVar(&o.PollOnly, "poll-only", false, "inserts wake nobody")
	f.BoolVar(&o.LongTx, "long-tx", false, "transactions that stay open insert jobs, too")
	return cmd
}

func checkThrough(o bench.LatencyOptions) error {
	switch {
	case o.Through != bench.ThroughTx && o.Through != bench.ThroughPool:
		return cli.Usagef("--through is %q: give tx or pool", o.Through)
	case o.Through == bench.ThroughPool && o.PollOnly:
		return cli.Usagef("--through pool wakes the worker, and --poll-only wakes nobody: " +
			"leave one out")
	}
	return nil
}

func printLatency(w io.Writer, r bench.LatencyResult) error {
	rows := newTable(w, "MS", "P50", "P99", "P99.9", "MAX")
	err := rows.add("commit to start", ms(r.P50), ms(r.P99), ms(r.P999), ms(r.Max))
	if err == nil && r.DatabaseMax != 0 { // else it was not asked any more
		err = rows.add("insert to claim", ms(r.DatabaseP50), ms(r.DatabaseP99), "",
			ms(r.DatabaseMax))
	}
	if err == nil && r.LateCommits > 0 {
		err = rows.add("late commit to start", ms(r.LateCommitP50), ms(r.LateCommitP99), "",
			ms(r.LateCommitMax))
	}
	if err := errors.Join(err, rows.flush()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s\n%d jobs, %.1f a second; inserts began late by %s ms (p99)\n",
		histogram(r.Buckets), r.Jobs, r.Rate, ms(r.Late))
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
