// Here: the database that a command works with.

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/migrations"
)

// A database says which one, and how it is used.
type database struct {
	url    string
	schema string // to work in; "" leaves it to the search_path
	conns  int32  // that the pool may have, unless url says it; 0 means a few
}

func (d *database) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.url, "database-url", "",
		"`URL` of the Postgres; or PGHOST, PGDATABASE, PGSERVICE name it")
}

// open returns a pool on a database that answers.
func (d *database) open(ctx context.Context) (*pgxpool.Pool, error) {
	named := cmp.Or(d.url, os.Getenv("PGHOST"), os.Getenv("PGDATABASE"), os.Getenv("PGSERVICE"))
	if named == "" {
		return nil, usagef("no database is named: give --database-url, or set DATABASE_URL, " +
			"to a URL such as postgres://user:password@host:5432/database")
	}
	config, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return nil, usagef("--database-url (DATABASE_URL): %w", err)
	}
	if !strings.Contains(d.url, "pool_max_conns") {
		config.MaxConns = cmp.Or(d.conns, 4)
	}
	conn := config.ConnConfig
	conn.ConnectTimeout = cmp.Or(conn.ConnectTimeout, 10*time.Second)
	conn.RuntimeParams["application_name"] = cmp.Or(conn.RuntimeParams["application_name"],
		"rowlock worker")
	if d.schema != "" {
		conn.RuntimeParams["search_path"] = d.schema
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, noDatabase(fmt.Errorf("the database does not answer: %w; "+
			"start it, or correct --database-url (DATABASE_URL)", err))
	}
	return pool, nil
}

// openMigrated is open for a database that has its tables.
func (d *database) openMigrated(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := requireTables(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// requireTables returns an error if a migration is to be applied.
func requireTables(ctx context.Context, pool *pgxpool.Pool) error {
	for _, line := range []struct{ folder, versionSQL string }{
		{"queue", queueVersionSQL},
		{"shop", shopVersionSQL},
	} {
		needed, err := latestMigration(line.folder)
		if err != nil {
			return err
		}
		var version int
		err = pool.QueryRow(ctx, line.versionSQL).Scan(&version)
		const next = `run "worker migrate" on the same database`
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42P01" { // no such table
			return fmt.Errorf("the tables of the %s are missing: %s", line.folder, next)
		}
		if err != nil {
			return fmt.Errorf("look for the tables of the %s: %w", line.folder, err)
		}
		if version < needed {
			return fmt.Errorf("the tables of the %s are of version %d, and %d is needed: %s",
				line.folder, version, needed, next)
		}
	}
	return nil
}

const queueVersionSQL = `-- worker.queue_version
SELECT coalesce(max(version_id), 0) FROM rowlock_versions WHERE is_applied`

const shopVersionSQL = `-- worker.shop_version
SELECT coalesce(max(version_id), 0) FROM rowlock_shop_versions WHERE is_applied`

// latestMigration returns the highest number of the files of a line.
func latestMigration(folder string) (latest int, err error) {
	files, err := fs.Glob(migrations.FS, folder+"/*.sql")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		number, _, _ := strings.Cut(path.Base(file), "_")
		n, err := strconv.Atoi(number)
		if err != nil {
			return 0, fmt.Errorf("migration %s has no number: %w", file, err)
		}
		latest = max(latest, n)
	}
	return latest, nil
}
