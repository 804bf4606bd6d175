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
	return open(t, template)
}

// Empty returns a pool on a new database without any tables.
func Empty(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, "template0")
}

// URL returns the connection string of a pool that is from this package, for
// another process or for a pool with other settings. psql takes it too.
func URL(db *pgxpool.Pool) string {
	return db.Config().ConnString()
}

// open makes a copy of a template for the duration of the test.
func open(t testing.TB, template string) *pgxpool.Pool {
	t.Helper()
	s := Server(t)
	name, err := clone(t.Context(), s.URL, template, t.Name())
	require.NoError(t, err, "make a database for the test")

	url := withDatabase(s.URL, name)
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.MaxConns = connections
	db, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() {
		closePool(t, db)
		if t.Failed() && !s.Throwaway {
			t.Logf("the test's database is kept: psql '%s'", url)
			return
		}
		// t.Context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := drop(ctx, s.URL, name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return db
}

// closePool closes a pool, which waits for connections that are still in use. A
// test that forgot one should hear of it, not hang.
func closePool(t testing.TB, db *pgxpool.Pool) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		db.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Errorf("%d connections of pgtest.New's pool are still in use after the test: "+
			"release them, or end what uses them", db.Stat().AcquiredConns())
	}
}
