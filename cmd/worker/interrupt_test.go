package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/localpg"
	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestInterruptedDemoPrintsWhatItKnows(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	d := spawn(t, []string{"DATABASE_URL=" + pgtest.URL(db)}, "demo", "--orders", "500",
		"--skip-waits=false", "--json", "--out", filepath.Join(t.TempDir(), "demo"))
	require.Eventually(t, func() bool {
		var settled int
		const sql = `SELECT count(*) FROM rowlock_demo.orders WHERE status <> 'placed'`
		return db.QueryRow(t.Context(), sql).Scan(&settled) == nil && settled > 100
	}, patience, tick)

	other := spawn(t, []string{"DATABASE_URL=" + pgtest.URL(db)}, "demo", "--clean", "--exit",
		"--out", filepath.Join(t.TempDir(), "other")).outcome()
	require.Equal(t, cli.CodeFailed, other.code)
	require.Contains(t, other.stderr, "another demo is running on this database")

	d.signal(syscall.SIGTERM)
	got := d.outcome()
	require.Equal(t, cli.CodeInterrupted, got.code, got.stderr)
	require.Contains(t, got.stderr, "worker: interrupted\n")
	var a account
	got.into(t, &a)
	require.Greater(t, a.Orders.Processed, int64(80))
	require.EqualValues(t, 500, a.Orders.Total)
	require.Zero(t, a.Charges.Duplicates)

	again := worker(t, "demo", "--database-url", pgtest.URL(db), "--orders", "2", "--exit",
		"--out", filepath.Join(t.TempDir(), "again"))
	require.Equal(t, cli.CodeUsage, again.code)
	require.Contains(t, again.stderr, "holds an earlier demo: --clean drops it")
}

func TestDemoOnAThrowAwayServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Postgres")
	}
	if _, err := localpg.FindBinaries(t.Context()); err != nil {
		t.Skip("a throw-away Postgres needs its programs:", err)
	}
	out := filepath.Join(t.TempDir(), "demo")
	env := []string{"PG_BIN=" + os.Getenv("PG_BIN"), "HOME=" + os.Getenv("HOME")}
	got := spawn(t, env, "demo", "--orders", "3", "--out", out).outcome()
	require.Zero(t, got.code, got.stderr)
	require.Contains(t, got.stderr, "a throw-away cluster")
	require.Contains(t, got.stdout, filepath.Join(out, "sandbox", "ledger.jsonl"))
	require.NotContains(t, got.stdout, "psql", "the database is gone by now")
	require.FileExists(t, filepath.Join(out, "exports", "export-1-1.csv"))
	require.FileExists(t, filepath.Join(out, "worker.log"))

	got = spawn(t, env, "demo", "--orders", "3", "--out", out).outcome()
	require.Equal(t, cli.CodeUsage, got.code)
	require.Contains(t, got.stderr, "holds an earlier demo: name a new folder")
}
