// Here: the database that a command works with.

package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/migrations"
)

// programName is as which this program's connections show in pg_stat_activity.
const programName = "rowlock worker"

// openMigrated opens a database that has the tables of the queue and the shop.
func openMigrated(ctx context.Context, d *cli.Database) (*pgxpool.Pool, error) {
	d.Name = programName
	db, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	if err := requireTables(ctx, db); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// requireTables returns an error if a migration is to be applied.
func requireTables(ctx context.Context, db *pgxpool.Pool) error {
	const command = "worker migrate"
	status, err := migrations.Status(ctx, db)
	if err != nil {
		return err
	}
	if err := cli.Migrated(status, "queue", command); err != nil {
		return err
	}
	if status, err = migrations.ShopStatus(ctx, db); err != nil {
		return err
	}
	return cli.Migrated(status, "shop", command)
}
