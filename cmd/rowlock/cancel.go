// Here: "rowlock cancel".

package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

func newCancel(o *options) *cobra.Command {
	cancel := change{
		do: func(ctx context.Context, db *pgxpool.Pool, id int64) (queue.State, error) {
			return new(queue.Client).Cancel(ctx, db, id)
		},
		done: func(id int64, now queue.State) string {
			if now == queue.StateRunning {
				return fmt.Sprintf("job %d is running: its handler is told to end", id)
			}
			return fmt.Sprintf("job %d is %s", id, now)
		},
		next: func(*queue.ConflictError) string { return "there is nothing left to call off" },
	}
	return &cobra.Command{
		Use:        "cancel ID...",
		SuggestFor: []string{"stop", "abort", "kill"},
		Short:      "Calls jobs off",
		Long: `Cancel calls jobs off. A queued or dead job is cancelled at once. The handler of a
running one is told to end, which takes up to 3 s to arrive: if it returns an error then,
the job is cancelled, and if it had finished, completed. To cancel twice is no error.

A cancelled job is kept as finished ones are, and can be retried until then.

` + eachJob + exitCodes(cli.CodeNotFound, cli.CodeConflict),
		Example: `  rowlock cancel 42
  rowlock list --state queued --kind report --json | jq .id | xargs -r rowlock cancel`,
		Args:              some("the id of a job, or several"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cancel.run(cmd, o, args)
		},
	}
}
