package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/orders"
)

// hostile is an orders file. Its good rows are G-1 to G-6.
const hostile = "\xef\xbb\xbf" + orders.Header + "\r\n" +
	"G-1,Ada,ada@shop.example,10.50,EUR,tok_ok,2026-01-02\r\n" + // 2
	"G-2,\"Grace\r\nHopper\",grace@shop.example,1,USD,tok_unheard_of,2026-01-02T03:04:05+01:00\r\n" + // 3-4
	"B-1,too few fields\r\n" + // 5
	"G-1,Ada again,ada@shop.example,1,EUR,tok_ok,2026-01-02\n" + // 6
	"B-2,Bob,bob@shop.example,0,EUR,tok_ok,2026-01-02\n" + // 7
	"B-3,Bob,bob@shop.example,1.005,EUR,tok_ok,2026-01-02\n" + // 8
	"B-4,Bob,not an address,1,EUR,tok_ok,2026-01-02\n" + // 9
	"B-5,Bob,bob@shop.example,1,EURO,tok_ok,2026-01-02\n" + // 10
	"B-6,Bob,bob@shop.example,1,EUR,tok_ok,yesterday\n" + // 11
	"B-7,B\x00b,bob@shop.example,1,EUR,tok_ok,2026-01-02\n" + // 12
	"B-8,B\xffb,bob@shop.example,1,EUR,tok_ok,2026-01-02\n" + // 13
	"B-9,Bob,bob@shop.example,1e9,EUR,tok_ok,2026-01-02\n" + // 14
	// 15: a stray quote
	"G-3,=HYPERLINK(\"x\"),eve@shop.example,2,EUR,tok_declined,2026-01-02\n" +
	"G-4,\"=HYPERLINK(\"\"x\"\")\",eve@shop.example,2.5,EUR,tok_declined,2026-01-02\n" + // 16
	"G-5,Møøse,moose@shop.example,99999999.99,SEK,tok_ok,2026-01-02\n" + // 17
	"G-6,\"Line\nbreak\",break@shop.example,3,EUR,tok_ok,2026-01-02" // 18-19, no line end

func TestLoadRejectsBadRowsByLineAndLoadsTheRest(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	file := filepath.Join(t.TempDir(), "orders.csv")
	require.NoError(t, os.WriteFile(file, []byte(hostile), 0o600))
	got := worker(t, "load", "--database-url", pgtest.URL(db), "--orders-file", file, "--json")
	require.Equal(t, codeRejected, got.code)
	for line := 5; line <= 14; line++ {
		require.Contains(t, got.stderr, fmt.Sprintf("rejected: line %d:", line))
	}
	stored := value[[]string](t, db, `SELECT array_agg(number ORDER BY number) FROM orders`)
	require.Subset(t, stored, []string{"G-1", "G-2", "G-4", "G-5", "G-6"})
	for _, number := range stored {
		require.True(t, strings.HasPrefix(number, "G-"), number)
	}
	require.Equal(t, len(stored), value[int](t, db, `
SELECT count(*) FROM jobs j JOIN orders o ON o.id = (j.args->>'order_id')::bigint
 WHERE j.kind = 'process_order' AND j.max_attempts = 4`), "each with its job")
	var counts struct{ Placed, Rejected int }
	got.into(t, &counts)
	require.Equal(t, len(stored), counts.Placed)
	require.Equal(t, 16, counts.Placed+counts.Rejected)

	again := worker(t, "load", "--database-url", pgtest.URL(db), "--orders-file", file)
	require.Equal(t, cli.CodeFailed, again.code, "not a single good row")
	require.Contains(t, again.stderr, "see the reasons above")
	require.Equal(t, len(stored), value[int](t, db, `SELECT count(*) FROM jobs`))
}

func TestDemoOfAFileCountsItsRejectedRows(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	got := workerReading(t, hostile, "demo", "--database-url", pgtest.URL(db), "--orders-file", "-",
		"--exit", "--json", "--out", filepath.Join(t.TempDir(), "demo"))
	require.Equal(t, codeRejected, got.code, got.stderr)
	var a summary
	got.into(t, &a)
	require.EqualValues(t, 16, a.Orders.Total)
	require.Equal(t, a.Orders.Total, a.Orders.Processed+a.Orders.PaymentFailed+a.Orders.Rejected)
	require.Zero(t, a.Jobs.FailedAttempts, "only the faults that the tokens name")
	csv, err := os.ReadFile(a.Exports[0].Path)
	require.NoError(t, err)
	require.Contains(t, string(csv), `'=HYPERLINK`, "a spreadsheet will not run it")
}

func TestLoadOfFilesThatAreNone(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(pgtest.New(t))
	for name, c := range map[string]struct {
		text, want string
		code       int
	}{
		"empty":        {"", "is empty", cli.CodeFailed},
		"wrong header": {"a,b,c\n1,2,3\n", "order_number,customer_name", cli.CodeFailed},
		"header only":  {orders.Header + "\n", "no row is an order", cli.CodeFailed},
		"a binary":     {"\x7fELF\x02\x01\x01\x00\x00", "its first line must be", cli.CodeFailed},
	} {
		got := workerReading(t, c.text, "load", "--database-url", url, "--orders-file", "-")
		require.Equal(t, c.code, got.code, "%s: %s", name, got.stderr)
		require.Contains(t, got.stderr, c.want, name)
	}
	got := worker(t, "load", "--database-url", url, "--orders-file", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, cli.CodeUsage, got.code)
	require.Contains(t, got.stderr, "name a CSV file")
}
