// Here: "rowlock bench xmin".

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
	"github.com/rowlock/rowlock/internal/cli"
)

func newBenchXmin(b *benchmark) *cobra.Command {
	o := bench.XminOptions{
		Free: time.Minute, Held: 2 * time.Minute, Recover: time.Minute, Backlog: 50_000,
	}
	v := verb[bench.XminResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.XminResult, error) {
			o.Progress = p
			return bench.Xmin(ctx, db, o)
		},
		found: func(r bench.XminResult) bool { return r.Seconds != nil },
		print: printXmin,
	}
	cmd := &cobra.Command{
		Use:   "xmin",
		Short: "How fast one worker is while an old transaction stays open",
		Long: `Xmin has one worker with its default settings drain a backlog, which is kept filled
by COPY, first for --free by itself. Then another connection opens a REPEATABLE READ
transaction with an xid and a snapshot, as a long report or a forgotten psql would, and
leaves it open for --for: vacuum can remove nothing meanwhile, so dead rows gather. When
it has ended, the measurement goes on until the claims are as quick as before, for
--recover at most.

With --rate, jobs come by the clock instead, and it is told how long they waited, too:
from when they were due until the transaction began that claimed them.

Jobs are counted by the history, in each second. A claim is the round trip of a batch that
records what ended and claims what comes next.` + exitCodes(),
		Example: `  rowlock bench xmin
  rowlock bench xmin --for 30m
  rowlock bench xmin --rate 5000
  rowlock bench xmin --json | jq .claim_p99_ms_held`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(checkTime("for", o.Held, time.Second),
				checkTime("free", o.Free, time.Second),
				checkTime("recover", o.Recover, time.Second), checkRate(o.Rate),
				atLeast("backlog", o.Backlog, 5000))
			if err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.Held, "for", o.Held, "for how `long` the transaction is open")
	f.DurationVar(&o.Free, "free", o.Free, "for how `long` there is none, before")
	f.DurationVar(&o.Recover, "recover", o.Recover, "for how `long` at most to wait for recovery")
	f.Float64Var(&o.Rate, "rate", 0, "`jobs` inserted a second; 0 keeps a backlog")
	f.IntVar(&o.Backlog, "backlog", o.Backlog, "how many `jobs` are kept waiting without --rate")
	return cmd
}

func printXmin(w io.Writer, r bench.XminResult) error {
	rows := newTable(w, "PHASE", "JOBS/S", "CLAIM P50 MS", "P99 MS", "PICK-UP P50 MS", "P99 MS")
	err := errors.Join(
		rows.add("free", number(r.JobsFree), ms(r.ClaimP50Free), ms(r.ClaimP99Free),
			told(r.PickupP50Free), told(r.PickupP99Free)),
		rows.add("held", number(r.JobsHeld), ms(r.ClaimP50Held), ms(r.ClaimP99Held),
			told(r.PickupP50Held), told(r.PickupP99Held)),
		rows.flush())
	if err != nil {
		return err
	}
	recovery := "claims were not as quick as before"
	if r.Recovered {
		recovery = "claims were as quick as before"
	}
	_, err = fmt.Fprintf(w, "\nclaims, free\n%s\nclaims, held\n%s\n"+
		"%d dead rows of jobs in %d MB at the end of the transaction; %s %.0f s after it\n",
		histogram(r.BucketsFree), histogram(r.BucketsHeld), r.DeadTuples, r.Bytes>>20,
		recovery, r.Recovery)
	return err
}

// told is a time in milliseconds, or nothing if there is none.
func told(x float64) string {
	if x == 0 {
		return ""
	}
	return ms(x)
}

// fastest is the highest rate that one may ask for.
const fastest = 100_000

// checkRate returns an error if a --rate is none.
func checkRate(rate float64) error {
	if !(rate >= 0 && rate <= fastest) {
		return cli.Usagef("--rate is %s: give jobs a second, up to %d",
			strconv.FormatFloat(rate, 'g', -1, 64), fastest)
	}
	return nil
}
