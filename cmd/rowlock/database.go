// Here: the database that a command works with.

package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/migrations"
)

// A task is what a command does with the database. Its ctx ends with Ctrl-C.
type task func(ctx context.Context, db *pgxpool.Pool) error

// withTables runs t on a database that has the queue's tables.
func (o *options) withTables(cmd *cobra.Command, t task) error {
	return o.withDatabase(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
		statuses, err := migrations.Status(ctx, db)
		if err != nil {
			return err
		}
		if err := cli.Migrated(statuses, "queue", "rowlock migrate up"); err != nil {
			return err
		}
		return t(ctx, db)
	})
}

// withDatabase runs t on a database that answers.
func (o *options) withDatabase(cmd *cobra.Command, t task) error {
	ctx, release := cli.Interruptible(cmd.Context())
	defer release()
	db, err := o.database.Open(ctx)
	if err != nil {
		return explain(ctx, err)
	}
	defer db.Close()
	return explain(ctx, t(ctx, db))
}
