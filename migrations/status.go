// Here: what has been applied, and what is still to be.

package migrations

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Migration is one step in the life of the tables.
type Migration struct {
	Version   int64
	Name      string    // such as queue/00001_jobs.sql; "" if a newer module applied it
	AppliedAt time.Time // zero if it is still to be applied
}

// Status returns the migrations of the queue's tables, oldest first: those of this
// module, and those that a newer one has applied. It changes nothing and needs to
// read the table rowlock_versions only. Where that is not there, none was applied.
func Status(ctx context.Context, db *pgxpool.Pool) ([]Migration, error) {
	return queueLine.status(ctx, db)
}

// ShopStatus is [Status] for the tables of the example shop.
func ShopStatus(ctx context.Context, db *pgxpool.Pool) ([]Migration, error) {
	return shopLine.status(ctx, db)
}

func (l line) status(ctx context.Context, db *pgxpool.Pool) ([]Migration, error) {
	applied, err := l.applied(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	files, err := fs.Glob(FS, l.folder+"/*.sql")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, file := range files { // in the order of their numbers
		number, _, _ := strings.Cut(path.Base(file), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number: %w", file, err)
		}
		for len(applied) > 0 && applied[0].Version < version {
			all, applied = append(all, applied[0]), applied[1:]
		}
		m := Migration{Version: version, Name: file}
		if len(applied) > 0 && applied[0].Version == version {
			m.AppliedAt, applied = applied[0].AppliedAt, applied[1:]
		}
		all = append(all, m)
	}
	return append(all, applied...), nil
}

// applied returns the applied migrations by their version, without names.
func (l line) applied(ctx context.Context, db *pgxpool.Pool) ([]Migration, error) {
	// The version tables have a timestamp without time zone: the session's is meant.
	rows, _ := db.Query(ctx, `
SELECT version_id, max(tstamp)::timestamptz FROM `+l.versions+`
 WHERE is_applied AND version_id > 0 GROUP BY version_id ORDER BY version_id`)
	applied, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Migration, err error) {
		err = row.Scan(&m.Version, &m.AppliedAt)
		return m, err
	})
	if missing, ok := errors.AsType[*pgconn.PgError](err); ok && missing.Code == "42P01" {
		return nil, nil // no such table
	}
	return applied, err
}
