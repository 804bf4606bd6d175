// Here: "rowlock bench idle".

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
)

func newBenchIdle(b *benchmark) *cobra.Command {
	o := bench.IdleOptions{For: 20 * time.Second}
	v := verb[bench.IdleResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (bench.IdleResult, error) {
			o.Progress = p
			return bench.Idle(ctx, db, o)
		},
		found: func(r bench.IdleResult) bool { return r.Seconds > 0 },
		print: printIdle,
	}
	cmd := &cobra.Command{
		Use:   "idle",
		Short: "What a worker costs that has nothing to do",
		Long: `Idle lets a worker with its default settings stand idle, and tells how many
statements a second it sends, how many transactions the database counts meanwhile, its
autovacuum's included, and what CPU and memory this process takes, which does nothing
else. CPU and memory are zero where the system does not say.` + exitCodes(),
		Example: `  rowlock bench idle
  rowlock bench idle --for 5m
  rowlock bench idle --json | jq .statements_per_second`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkTime("for", o.For, 0); err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	cmd.Flags().DurationVar(&o.For, "for", o.For, "for how `long` is measured")
	return cmd
}

func printIdle(w io.Writer, r bench.IdleResult) error {
	const mega = 1 << 20
	rows := newTable(w, "STATEMENTS/S", "TRANSACTIONS/S", "CPU %", "RSS MB", "HEAP MB", "SECONDS")
	err := rows.add(fmt.Sprintf("%.2f", r.Statements), fmt.Sprintf("%.2f", r.Transactions),
		fmt.Sprintf("%.3f", r.CPU), fmt.Sprintf("%.1f", float64(r.RSS)/mega),
		fmt.Sprintf("%.1f", float64(r.Heap)/mega), fmt.Sprintf("%.1f", r.Seconds))
	return errors.Join(err, rows.flush())
}
