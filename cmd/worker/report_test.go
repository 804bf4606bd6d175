package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
)

// keys returns the names in a JSON object and in the objects within it.
func keys(object map[string]any) (names []string) {
	for name, value := range object {
		names = append(names, name)
		switch v := value.(type) {
		case map[string]any:
			for _, inner := range keys(v) {
				names = append(names, name+"."+inner)
			}
		case []any:
			for _, inner := range keys(v[0].(map[string]any)) {
				names = append(names, name+"."+inner)
			}
		}
	}
	return names
}

func TestReportFindsWhatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	s := newShopOfProcesses(t)
	require.Zero(t, spawn(t, s.env, "load", "--orders", "60").outcome().code)
	require.Zero(t, spawn(t, s.env, "export", "orders").outcome().code)
	run := spawn(t, s.env, "run")
	s.settle()
	run.signal(os.Interrupt)
	require.Zero(t, run.outcome().code)
	report := func() outcome {
		return spawn(t, s.env, "report", "--dir", s.sandbox, "--json").outcome()
	}
	got := report()
	require.Zero(t, got.code, got.stderr)
	require.Empty(t, got.stderr)
	var object map[string]any
	got.into(t, &object)
	require.ElementsMatch(t, strings.Fields(`orders orders.total orders.processed
		orders.payment_failed orders.missing orders.rejected mails mails.confirmation
		mails.export_ready mails.refused exports exports.id exports.status exports.path exports.rows
		exports.bytes exports.sha256 jobs jobs.completed jobs.discarded jobs.dead
		jobs.failed_attempts jobs.lost charges charges.captured charges.declined charges.duplicates
		waits_skipped_seconds seconds jobs_per_second`), keys(object))

	for _, sql := range []string{
		`UPDATE orders SET amount = amount + 1
		  WHERE id = (SELECT min(id) FROM orders WHERE status = 'processed')`,
		`UPDATE orders SET status = 'placed', settled_at = NULL
		  WHERE id = (SELECT max(id) FROM orders WHERE status = 'processed')`,
		`UPDATE orders SET status = 'payment_failed'
		  WHERE number = 'R1-000059' AND status = 'processed'`,
		`INSERT INTO orders (number, customer_name, customer_email, amount, currency, card_token,
		                     status, settled_at)
		 VALUES ('stray', '', 'a@b', 1, 'EUR', 'tok_ok', 'processed', now())`,
	} {
		tag, err := s.db.Exec(t.Context(), sql)
		require.NoError(t, err)
		require.EqualValues(t, 1, tag.RowsAffected(), sql)
	}
	s.chargeAgain()
	got = report()
	require.Equal(t, cli.CodeFailed, got.code)
	for _, want := range []string{
		`problem: order R1-\d+ \(id \d+\) is of \d+ \w+, but \d+ \w+ were charged`,
		`problem: order R1-\d+ \(id \d+\) is placed, and no job is left to process it`,
		`problem: order R1-000059 \(id \d+\) has a failed payment, and yet its card was charged`,
		`problem: order stray \(id \d+\) is processed, but the ledger has no charge for it`,
		`problem: order stray \(id \d+\) is processed, but has neither a confirmation nor a refusal`,
		`problem: order R1-\d+ \(id \d+\) was charged 2 times`,
		`problem: the ledger has a charge for order other, which is not in this database`,
		`worker: 7 things do not add up`,
	} {
		require.Regexp(t, want, got.stderr)
	}
	var a account
	got.into(t, &a)
	require.Equal(t, 1, a.Charges.Duplicates)
}

// chargeAgain writes into the ledger what the gateway never would: a second charge
// for an order, and one for an order of another shop.
func (s *shopOfProcesses) chargeAgain() {
	s.t.Helper()
	path := filepath.Join(s.sandbox, "ledger.jsonl")
	ledger, err := os.ReadFile(path)
	require.NoError(s.t, err)
	number := value[string](s.t, s.db, `SELECT number FROM orders
		WHERE status = 'processed' AND number <> 'stray' ORDER BY id OFFSET 5 LIMIT 1`)
	for line := range strings.Lines(string(ledger)) {
		if strings.Contains(line, `"captured"`) && strings.Contains(line, number) {
			ledger = append(ledger, line+strings.ReplaceAll(line, number, "other")...)
			break
		}
	}
	require.NoError(s.t, os.WriteFile(path, ledger, 0o600))
}

func TestReportForPeople(t *testing.T) {
	t.Parallel()
	s := newShopOfProcesses(t)
	require.Zero(t, spawn(t, s.env, "load", "--orders", "5").outcome().code)
	got := spawn(t, s.env, "report", "--dir", s.sandbox).outcome()
	require.Zero(t, got.code, got.stderr)
	require.Equal(t, "5 orders are still to be settled or confirmed\n", got.stderr)
	require.Contains(t, got.stdout, "Orders   5: 0 processed, 0 payment failed, 0 missing, 0 rejected")

	got = spawn(t, s.env, "report", "--dir", t.TempDir()).outcome()
	require.Equal(t, cli.CodeFailed, got.code)
	require.Contains(t, got.stderr, "a sandbox's folder?")
}
