// Here: the Postgres of a comparison, and what is asked of it.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/internal/localpg"
)

// A postgres is a server in which each peer gets a database of its own.
type postgres struct {
	server *localpg.Server
	admin  *pgx.Conn
	made   []string // databases
}

// startPostgres uses the server of url, or starts one that is as durable as one in
// production.
func startPostgres(ctx context.Context, url string) (*postgres, error) {
	server, err := localpg.Start(ctx, localpg.Options{URL: url, Durable: true})
	if err != nil {
		return nil, err
	}
	admin, err := pgx.Connect(ctx, server.URL)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &postgres{server: server, admin: admin}, nil
}

// database makes an empty database for a peer and returns its URL.
func (p *postgres) database(ctx context.Context, peer string) (url string, err error) {
	name := "rowlock_bench_" + peer
	_, err = p.admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "42P04" {
		return "", fmt.Errorf("the database %s is there already, perhaps from a comparison that "+
			"was killed: drop it (DROP DATABASE %s), or leave out --database-url", name, name)
	}
	if err != nil {
		return "", fmt.Errorf("make the database %s: %w; name a user by --database-url who may, "+
			"or leave that out", name, err)
	}
	p.made = append(p.made, name)
	return databaseURL(p.admin.Config(), name), nil
}

// close drops the databases, or the whole server if it is ours.
func (p *postgres) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if !p.server.Throwaway {
		for _, name := range p.made {
			_, dropped := p.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+
				pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
			if dropped != nil {
				err = errors.Join(err, fmt.Errorf("drop the database %s: %w; drop it by hand",
					name, dropped))
			}
		}
	}
	return errors.Join(err, p.admin.Close(ctx), p.server.Close())
}

const walSQL = `SELECT (pg_current_wal_insert_lsn() - '0/0')::float8`

// wal returns the position in the log, in bytes.
func (p *postgres) wal(ctx context.Context) (at float64, err error) {
	return at, p.admin.QueryRow(ctx, walSQL).Scan(&at)
}

// checkpoint writes out what the server holds, so that each run begins alike, if that
// is allowed.
func (p *postgres) checkpoint(ctx context.Context) error {
	_, err := p.admin.Exec(ctx, "CHECKPOINT")
	const insufficientPrivilege = "42501"
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		if refused.Code == insufficientPrivilege {
			return nil
		}
	}
	return err
}

// A ledger is how a peer's tables tell what is finished.
type ledger struct {
	db *pgxpool.Pool
	// lastSQL returns the id of the last job. tailSQL tells whether one of the jobs
	// after $1 is unfinished. Both may be empty.
	lastSQL, tailSQL string
	// countSQL returns how many of $1 jobs are unfinished. It may look at all of them.
	countSQL string
}

// unfinished looks at the last jobs until they are finished, and counts then: to count
// often would slow down what is measured.
func (l *ledger) unfinished(ctx context.Context, inserted int) (n int, err error) {
	const tail = 10_000
	if l.tailSQL != "" {
		var last int64
		if err := l.db.QueryRow(ctx, l.lastSQL).Scan(&last); err != nil {
			return 0, err
		}
		var left bool
		err := l.db.QueryRow(ctx, l.tailSQL, last-tail).Scan(&left)
		if err != nil || left {
			return 1, err
		}
	}
	return n, l.db.QueryRow(ctx, l.countSQL, inserted).Scan(&n)
}
