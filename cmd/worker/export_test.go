package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestExportIsStoredWithItsJob(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ask := func(args ...string) outcome {
		return worker(t, append([]string{"export", "--database-url", pgtest.URL(db)}, args...)...)
	}
	got := ask("orders", "--param", "status=processed", "--param", "since=2026-11-01", "--json")
	require.Zero(t, got.code, got.stderr)
	var export struct {
		ID     int64
		Status string
	}
	got.into(t, &export)
	require.Equal(t, "pending", export.Status)
	require.Equal(t, `{"since": "2026-11-01", "status": "processed"}`,
		value[string](t, db, `SELECT params::text FROM exports WHERE id = $1`, export.ID))
	require.Equal(t, 1, value[int](t, db, `SELECT count(*) FROM jobs
		WHERE kind = 'batch_export' AND args = jsonb_build_object('export_id', $1::bigint)`, export.ID))

	require.Equal(t, "export 2 of payments is pending\n", ask("payments").stdout)

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"customers"}, `query is "customers", not one of orders, payments`},
		{[]string{"orders; DROP TABLE orders"}, "not one of orders, payments"},
		{[]string{"orders", "--param", "status=lost"}, "not one of placed, processed"},
		{[]string{"orders", "--param", "since=yesterday"}, "neither a date"},
		{[]string{"orders", "--param", "colour=red"}, "is not one of since, until, status"},
		{[]string{"orders", "--mail-to", "nobody"}, "not an address"},
	} {
		got := ask(c.args...)
		require.Equal(t, cli.CodeUsage, got.code, "%q: %s", c.args, got.stderr)
		require.Contains(t, got.stderr, c.want)
		require.Empty(t, got.stdout)
	}
	require.Equal(t, 2, value[int](t, db, `SELECT count(*) FROM exports`))
	require.Equal(t, 2, value[int](t, db, `SELECT count(*) FROM jobs`))
}
