// Here: "rowlock pause".

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

func newPause(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "pause QUEUE...",
		Short: "Keeps workers from claiming the jobs of queues",
		Long: `Pause keeps all workers from claiming the jobs of queues until "rowlock resume". What
runs, runs on, and jobs can still be enqueued. To pause twice is no error. Of several
queues, all are paused or none.

A queue can be paused before its first job. So that a slip of the pen does not go
unseen, stderr says of a queue if nothing is known of it.` + exitCodes(),
		Example: `  rowlock pause exports
  rowlock pause default notifications`,
		Args:              some("the name of a queue, or several"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, names []string) error {
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return setPaused(ctx, cmd, db, names, true, o.json)
			})
		},
	}
}

// A pausedQueue is one that was paused or resumed, as --json prints it.
type pausedQueue struct {
	Queue  string `json:"queue"`
	Paused bool   `json:"paused"`
}

// setPaused pauses or resumes all of the queues or, if one cannot be, none.
func setPaused(
	ctx context.Context, cmd *cobra.Command, db *pgxpool.Pool, names []string, pause, asJSON bool,
) error {
	var client queue.Client
	set, told := client.Resume, "claimed from again"
	if pause {
		set, told = client.Pause, "paused"
	}
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		for _, name := range slices.Sorted(slices.Values(names)) { // one order, no deadlock
			if err := set(ctx, tx, name); err != nil {
				return err
			}
		}
		return nil
	})
	if invalid, ok := errors.AsType[*queue.InvalidError](err); ok {
		return cli.Usagef("the name of a queue %s", invalid.Reason)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if asJSON {
			err = cli.PrintJSON(cmd.OutOrStdout(), pausedQueue{name, pause})
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "queue %s is %s\n", name, told)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range unknownQueues(ctx, db, names) {
		cmd.PrintErrf("queue %s has no job and no worker: is it the one you mean?\n", name)
	}
	return nil
}

// unknownQueues returns those of the queues that have neither a job nor a worker. It is
// asked when all is done, and if the answer does not come, nobody misses it.
func unknownQueues(ctx context.Context, db *pgxpool.Pool, names []string) (unknown []string) {
	var client queue.Client
	stats, err := client.Stats(ctx, db)
	if err != nil {
		return nil
	}
	workers, err := client.Workers(ctx, db)
	if err != nil {
		return nil
	}
	known := workedQueues(workers)
	for _, s := range stats {
		if max(s.Ready, s.Scheduled, s.Retrying, s.Running, s.Dead) > 0 {
			known[s.Queue] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return known[name] })
}
