package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
)

// summary is the object that --json prints, read strictly.
type summary = account

func TestDemoAccountsForEveryOrder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	out := filepath.Join(t.TempDir(), "demo")
	got := worker(t, "demo", "--database-url", pgtest.URL(db), "--orders", "60", "--exit", "--json",
		"--out", out)
	require.Zero(t, got.code, got.stderr)
	var a summary
	got.into(t, &a)
	require.EqualValues(t, 60, a.Orders.Total)
	require.Equal(t, a.Orders.Total,
		a.Orders.Processed+a.Orders.PaymentFailed+a.Orders.Missing+a.Orders.Rejected)
	require.EqualValues(t, 1, a.Orders.Missing, "the deleted one")
	require.EqualValues(t, a.Orders.Processed, a.Charges.Captured)
	require.EqualValues(t, a.Orders.PaymentFailed, a.Charges.Declined)
	require.Zero(t, a.Charges.Duplicates)
	require.EqualValues(t, a.Orders.Processed, a.Mails.Confirmation+a.Mails.Refused)
	require.Equal(t, mailSums{Confirmation: a.Mails.Confirmation, ExportReady: 1, Refused: 1}, a.Mails)
	require.Zero(t, a.Jobs.Dead)
	require.Positive(t, a.Jobs.FailedAttempts, "the gateway has its faults")
	require.Positive(t, a.WaitsSkipped)

	require.Len(t, a.Exports, 1)
	file, err := os.ReadFile(a.Exports[0].Path)
	require.NoError(t, err)
	sum := sha256.Sum256(file)
	require.Equal(t, a.Exports[0].SHA256, hex.EncodeToString(sum[:]))
	require.EqualValues(t, len(file), a.Exports[0].Bytes)
	require.EqualValues(t, a.Exports[0].Rows, strings.Count(string(file), "\n")-1)
	mails, err := filepath.Glob(filepath.Join(out, "sandbox", "mail", "*.eml"))
	require.NoError(t, err)
	require.Len(t, mails, a.Mails.Confirmation+1, "they outlive the command")
	require.Contains(t, got.stderr, "rowlock_demo", "it says which schema")
	require.Equal(t, 60, value[int](t, db, `SELECT count(*) + 1 FROM rowlock_demo.orders`))
}

func TestDemoPrintsItsSummaryAlsoWhenItFails(t *testing.T) {
	t.Parallel()
	got := worker(t, "demo", "--database-url", "postgres://127.0.0.1:1/none", "--exit", "--json",
		"--out", filepath.Join(t.TempDir(), "demo"))
	require.Equal(t, cli.CodeNoDatabase, got.code)
	var a summary
	got.into(t, &a)
	require.Zero(t, a.Orders.Total)
	require.Contains(t, got.stdout, `"exports":[]`)
	require.Contains(t, got.stderr, "worker: ")
}

func TestDemoTellsAPerson(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	got := worker(t, "demo", "--database-url", pgtest.URL(db), "--orders", "5", "--clean",
		"--out", filepath.Join(t.TempDir(), "demo"))
	require.Zero(t, got.code, got.stderr)
	for _, want := range []string{
		"Orders   5:", "Charges  ", "Mails    ", "Export   1 completed", "failed attempts", "ledger.jsonl",
	} {
		require.Contains(t, got.stdout, want)
	}
	require.False(t, value[bool](t, db,
		`SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'rowlock_demo')`), "--clean")
}
