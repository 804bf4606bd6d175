// Package migrations has the tables of the queue and of the example shop as
// numbered SQL files, and brings a database to their latest version.
//
// The two are lines of their own, each with its own version table, so that a
// program that uses the queue gets no table of the shop. They go into the schema
// that the connection's search_path names first.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// FS holds the files: queue/*.sql and shop/*.sql.
//
//go:embed queue/*.sql shop/*.sql
var FS embed.FS

// A line is one sequence of migrations.
type line struct {
	folder   string
	versions string // its version table
	table    string // one that its first migration makes
}

var (
	queueLine = line{folder: "queue", versions: "rowlock_versions", table: "jobs"}
	shopLine  = line{folder: "shop", versions: "rowlock_shop_versions", table: "orders"}
)

// Up brings the queue's tables to the version of this module and returns the
// names of the migrations that it applied, none if the tables were up to date.
// Several processes may call it at once: they wait for each other.
//
// It needs Postgres 15 or newer, and refuses a schema in which somebody else's
// table has the name jobs. Nothing is changed when it returns an error, but for
// the migrations before the one that the error names.
func Up(ctx context.Context, db *pgxpool.Pool) (applied []string, err error) {
	return queueLine.up(ctx, db)
}

// UpShop is [Up] for the tables of the example shop.
func UpShop(ctx context.Context, db *pgxpool.Pool) (applied []string, err error) {
	return shopLine.up(ctx, db)
}

// Down takes back the latest migration of the queue's tables and returns its
// name, or "" if there is none left. It refuses to drop jobs that can still run or
// are dead; the history of those that are finished goes with its table.
func Down(ctx context.Context, db *pgxpool.Pool) (name string, err error) {
	return queueLine.down(ctx, db)
}

func (l line) up(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	if err := l.check(ctx, pool); err != nil {
		return nil, err
	}
	provider, done, err := l.provider(pool)
	if err != nil {
		return nil, err
	}
	defer done()
	results, err := provider.Up(ctx)
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		err = fmt.Errorf("migrate %s: %w", partial.Failed.Source.Path, partial.Failed.Error)
		results = partial.Applied
	} else if err != nil {
		err = fmt.Errorf("migrate: %w", err)
	}
	var names []string
	for _, r := range results {
		names = append(names, l.folder+"/"+r.Source.Path)
	}
	return names, err
}

func (l line) down(ctx context.Context, pool *pgxpool.Pool) (string, error) {
	provider, done, err := l.provider(pool)
	if err != nil {
		return "", err
	}
	defer done()
	result, err := provider.Down(ctx)
	if errors.Is(err, goose.ErrNoNextVersion) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("migrate down: %w", err)
	}
	return l.folder + "/" + result.Source.Path, nil
}

const checkSQL = `
SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
       coalesce(current_schema(), ''),
       to_regclass(quote_ident(current_schema()) || '.' || $1) IS NOT NULL
         AND to_regclass(quote_ident(current_schema()) || '.' || $2) IS NULL`

// check refuses a database that l cannot or must not be applied to.
func (l line) check(ctx context.Context, pool *pgxpool.Pool) error {
	var (
		number          int
		version, schema string
		foreign         bool
	)
	err := pool.QueryRow(ctx, checkSQL, l.table, l.versions).
		Scan(&number, &version, &schema, &foreign)
	switch {
	case err != nil:
		return fmt.Errorf("migrate: %w", err)
	case number < 150000:
		return fmt.Errorf("migrate: Postgres 15 or newer is needed, this is %s", version)
	case schema == "":
		return errors.New("migrate: no schema of the search_path exists: create one or set another")
	case foreign:
		return fmt.Errorf("migrate: schema %s has a table %s that is not ours: "+
			"put another schema first in the search_path", schema, l.table)
	}
	return nil
}

// provider returns what runs l, and what closes it.
func (l line) provider(pool *pgxpool.Pool) (*goose.Provider, func(), error) {
	files, err := fs.Sub(FS, l.folder)
	if err != nil {
		return nil, nil, err
	}
	// Others that migrate are waited for by the second, for as long as five minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(l.versions), goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return provider, func() { _ = db.Close() }, nil // the pool stays open
}
