// Here: "rowlock resume".

package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
)

func newResume(o *options) *cobra.Command {
	return &cobra.Command{
		Use:        "resume QUEUE...",
		SuggestFor: []string{"unpause", "continue"},
		Short:      "Lets workers claim the jobs of queues again",
		Long: `Resume ends what "rowlock pause" began. To resume a queue that is not paused is no
error; stderr says of a queue if nothing is known of it.` + exitCodes(),
		Example: `  rowlock resume exports
  rowlock resume default notifications`,
		Args:              some("the name of a queue, or several"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, names []string) error {
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return setPaused(ctx, cmd, db, names, false, o.json)
			})
		},
	}
}
