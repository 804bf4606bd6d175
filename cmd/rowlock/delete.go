// Here: "rowlock delete".

package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

func newDelete(o *options) *cobra.Command {
	remove := change{
		do: func(ctx context.Context, db *pgxpool.Pool, id int64) (queue.State, error) {
			return stateDeleted, new(queue.Client).Delete(ctx, db, id)
		},
		done: func(id int64, _ queue.State) string { return fmt.Sprintf("job %d is deleted", id) },
		next: func(e *queue.ConflictError) string {
			return fmt.Sprintf("cancel it first: rowlock cancel %d", e.ID)
		},
	}
	return &cobra.Command{
		Use:        "delete ID...",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Removes jobs and their failures for good",
		Long: `Delete removes jobs and their failures for good, and frees their unique keys. Nothing
brings them back: "rowlock cancel" keeps a job from running and leaves it to be seen.

A running job is refused.

` + eachJob + exitCodes(cli.CodeNotFound, cli.CodeConflict),
		Example: `  rowlock delete 42
  rowlock show 42 --json >job-42.json && rowlock delete 42`,
		Args:              some("the id of a job, or several"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return remove.run(cmd, o, args)
		},
	}
}
