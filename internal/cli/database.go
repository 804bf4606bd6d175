// Here: the database that a command works with.

package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/pflag"

	"github.com/rowlock/rowlock/migrations"
)

// A Database says which one, and how it is used.
type Database struct {
	URL    string
	Schema string // to work in; "" leaves it to the search_path
	Conns  int32  // that the pool may have, unless URL says it; 0 means a few
	Name   string // as which the program connects
}

// Flags has the flag that names the database.
func (d *Database) Flags(f *pflag.FlagSet) {
	f.StringVar(&d.URL, "database-url", "",
		"`URL` of the Postgres; else PGHOST and the like")
}

// Open returns a pool on a database that answers.
func (d *Database) Open(ctx context.Context) (*pgxpool.Pool, error) {
	named := cmp.Or(d.URL, os.Getenv("PGHOST"), os.Getenv("PGDATABASE"), os.Getenv("PGSERVICE"))
	if named == "" {
		return nil, Usagef("no database is named: give --database-url, or set DATABASE_URL, " +
			"to a URL such as postgres://user:password@host:5432/database")
	}
	config, err := pgxpool.ParseConfig(d.URL)
	if err != nil {
		return nil, Usagef("--database-url (DATABASE_URL): %w", err)
	}
	if !strings.Contains(d.URL, "pool_max_conns") {
		config.MaxConns = cmp.Or(d.Conns, 4)
	}
	conn := config.ConnConfig
	conn.ConnectTimeout = cmp.Or(conn.ConnectTimeout, 10*time.Second)
	conn.RuntimeParams["application_name"] = cmp.Or(conn.RuntimeParams["application_name"], d.Name)
	if d.Schema != "" {
		conn.RuntimeParams["search_path"] = d.Schema
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
		return nil, NoDatabase(fmt.Errorf("the database does not answer: %w; "+
			"start it, or correct --database-url (DATABASE_URL)", err))
	}
	return pool, nil
}

// Migrated returns an error if a migration in statuses is still to be applied. It
// names whose tables they are, and the command that applies it.
func Migrated(statuses []migrations.Migration, whose, command string) error {
	var version, needed int64
	for _, m := range statuses {
		if m.AppliedAt.IsZero() {
			needed = m.Version
		} else {
			version = m.Version
		}
	}
	switch {
	case needed == 0:
		return nil
	case version == 0:
		return fmt.Errorf("the tables of the %s are missing: run %q on the same database",
			whose, command)
	}
	return fmt.Errorf("the tables of the %s are of version %d, and %d is needed: "+
		"run %q on the same database", whose, version, needed, command)
}
