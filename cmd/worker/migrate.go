// Here: "worker migrate".

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/migrations"
)

func newMigrate() *cobra.Command {
	database := cli.Database{Name: programName}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Makes or updates the tables of the queue and the shop",
		Long: `Migrate brings the tables of the queue and of the shop to the version of this program
and prints what it has applied. It may run again at any time, and several at once
wait for each other. The tables are made in the first schema of the search_path.`,
		Example: "  worker migrate --database-url postgres://user:password@host:5432/database",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, release := cli.Interruptible(cmd.Context())
			defer release()
			db, err := database.Open(ctx)
			if err != nil {
				return err
			}
			defer db.Close()
			return migrate(ctx, db, cmd.OutOrStdout())
		},
	}
	database.Flags(cmd.Flags())
	return cmd
}

// migrate applies what is missing and tells w.
func migrate(ctx context.Context, db *pgxpool.Pool, w io.Writer) error {
	applied, err := migrations.Up(ctx, db)
	if err == nil {
		var shop []string
		shop, err = migrations.UpShop(ctx, db)
		applied = append(applied, shop...)
	}
	for _, name := range applied {
		fmt.Fprintln(w, "applied", name)
	}
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(w, "the tables are up to date")
	}
	return err
}
