package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestMigrateSaysWhatItApplies(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	got := worker(t, "migrate", "--database-url", pgtest.URL(db))
	require.Zero(t, got.code, got.stderr)
	require.Contains(t, got.stdout, "applied queue/00001_jobs.sql\n")
	require.Contains(t, got.stdout, "applied shop/00001_orders.sql\n")

	got = worker(t, "migrate", "--database-url", pgtest.URL(db))
	require.Zero(t, got.code, got.stderr)
	require.Equal(t, "the tables are up to date\n", got.stdout)
}

func TestOldTablesAreRefused(t *testing.T) {
	t.Parallel()
	empty, old := pgtest.Empty(t), pgtest.New(t)
	_, err := old.Exec(t.Context(), `DELETE FROM rowlock_shop_versions
		WHERE version_id = (SELECT max(version_id) FROM rowlock_shop_versions)`)
	require.NoError(t, err)
	for _, args := range [][]string{
		{"run", "--gateway-url", "http://127.0.0.1:1", "--smtp-url", "smtp://127.0.0.1:1"},
		{"load", "--orders", "1"},
		{"export", "orders"},
		{"report", "--dir", t.TempDir()},
	} {
		got := worker(t, append(args, "--database-url", pgtest.URL(empty))...)
		require.Equal(t, cli.CodeFailed, got.code)
		require.Contains(t, got.stderr, `the tables of the queue are missing: run "worker migrate"`)

		got = worker(t, append(args, "--database-url", pgtest.URL(old))...)
		require.Equal(t, cli.CodeFailed, got.code)
		require.Regexp(t, `the tables of the shop are of version \d+, and \d+ is needed: `+
			`run "worker migrate"`, got.stderr)
	}
}
