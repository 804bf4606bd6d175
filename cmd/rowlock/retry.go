// Here: "rowlock retry".

package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

func newRetry(o *options) *cobra.Command {
	retry := change{
		do: func(ctx context.Context, db *pgxpool.Pool, id int64) (queue.State, error) {
			return queue.StateQueued, new(queue.Client).Retry(ctx, db, id)
		},
		done: func(id int64, _ queue.State) string {
			return fmt.Sprintf("job %d is queued again", id)
		},
		next: nextInsteadOfRetry,
	}
	return &cobra.Command{
		Use:        "retry ID...",
		SuggestFor: []string{"rerun", "requeue"},
		Short:      "Has jobs run again now",
		Long: `Retry makes jobs due now, with one more attempt. It is for dead, cancelled and
discarded jobs, and for queued ones whose time is still ahead.

A job with a unique key is refused while another job holds that key.

` + eachJob + exitCodes(cli.CodeNotFound, cli.CodeConflict),
		Example: `  rowlock retry 42
  rowlock list --state dead --kind mail --json | jq .id | xargs -r rowlock retry`,
		Args:              some("the id of a job, or several"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return retry.run(cmd, o, args)
		},
	}
}

// eachJob says what holds for all changes.
const eachJob = `Each job is a change of its own: one that is refused does not keep the others from
being made, and the exit code is that of the first refusal. With --json, each id has a
line, with "error" and "code" if it was refused.`

func nextInsteadOfRetry(e *queue.ConflictError) string {
	switch {
	case e.Holder != 0:
		return fmt.Sprintf("job %d holds its unique key: wait for the end of that one, or see %q",
			e.Holder, fmt.Sprintf("rowlock show %d", e.Holder))
	case e.State == queue.StateRunning:
		return "wait for the end of that run"
	case e.State == queue.StateQueued:
		return `it is due, and runs when a worker has a slot free: see "rowlock queues"`
	}
	return `to do it once more, enqueue another: see "rowlock enqueue --help"`
}
