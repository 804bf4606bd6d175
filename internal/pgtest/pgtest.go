// Package pgtest gives each test a database of its own, with our tables in it.
//
// The server is found once per test process: TEST_DATABASE_URL, or the one that
// "make test" has started for all packages, or what [localpg] finds or starts,
// or a container where nothing but a Docker engine is there. On it, the
// migrations run once, into a template database that is named by their hash. A
// test's database is a copy of that, made in some 60 ms, so hundreds of parallel
// tests are fine. It is dropped when the test has passed. If the test failed and
// the server outlives it, the database is kept and its URL logged.
//
// Without a Postgres, tests are skipped on a laptop and fail where CI or
// REQUIRE_PG is set, since a skipped suite says "ok". Under -short they are
// always skipped.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// connections is the size of a test's pool. All tests that run at once share
// the connections that the server takes, which are 500 on a server of ours.
const connections = 10

// New returns a pool on a new database with the tables of the queue and of the
// shop. The test need not close it.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	Server(t)
	template, err := templateOnce()
	require.NoError(t, err, "make the template of the test databases")
	return lend(t, template)
}

// Open is [New] for an example, which has no testing.TB. Its owner is part of the
// database's name; drop closes the pool and drops the database.
func Open(owner string) (db *pgxpool.Pool, drop func() error, err error) {
	s, err := serverOnce()
	if err != nil {
		return nil, nil, err
	}
	template, err := templateOnce()
	if err != nil {
		return nil, nil, err
	}
	db, err = open(context.Background(), s.URL, template, owner)
	return db, func() error { return errors.Join(closePool(db), remove(s.URL, db)) }, err
}

// Empty returns a pool on a new database without any tables.
func Empty(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return lend(t, "template0")
}

// URL returns the connection string of a pool that is from this package, for
// another process or for a pool with other settings. psql takes it too.
func URL(db *pgxpool.Pool) string {
	return db.Config().ConnString()
}

// lend opens a copy of a template for the duration of the test.
func lend(t testing.TB, template string) *pgxpool.Pool {
	t.Helper()
	s := Server(t)
	db, err := open(t.Context(), s.URL, template, t.Name())
	require.NoError(t, err, "make a database for the test")
	t.Cleanup(func() {
		if err := closePool(db); err != nil {
			t.Error(err)
		}
		if t.Failed() && !s.Throwaway {
			t.Logf("the test's database is kept: psql '%s'", URL(db))
			return
		}
		if err := remove(s.URL, db); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return db
}

// open makes a copy of a template, and a pool on it.
func open(ctx context.Context, server, template, owner string) (*pgxpool.Pool, error) {
	name, err := clone(ctx, server, template, owner)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(withDatabase(server, name))
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	return pgxpool.NewWithConfig(ctx, config)
}

// remove drops the database of a pool that is closed.
func remove(server string, db *pgxpool.Pool) error {
	// The context of a test has ended by now.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return drop(ctx, server, db.Config().ConnConfig.Database)
}

// closePool closes a pool, which waits for connections that are still in use. A
// test that forgot one should hear of it, not hang.
func closePool(db *pgxpool.Pool) error {
	closed := make(chan struct{})
	go func() {
		db.Close()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("%d connections of pgtest's pool are still in use after the test: "+
			"release them, or end what uses them", db.Stat().AcquiredConns())
	}
}
