package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestMadeOrdersIncludeThePeculiarOnes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	load := func(seed string) outcome {
		return worker(t, "load", "--database-url", pgtest.URL(db), "--orders", "60", "--seed", seed)
	}
	got := load("7")
	require.Zero(t, got.code, got.stderr)
	require.Contains(t, got.stdout, "60 orders placed, 0 rows rejected")
	const jobs = ` (SELECT (args->>'order_id')::bigint AS id FROM jobs) j `
	require.Equal(t, 59, value[int](t, db, `SELECT count(*) FROM orders`))
	require.Equal(t, 61, value[int](t, db, `SELECT count(*) FROM`+jobs), "one has two")
	require.Equal(t, 60, value[int](t, db, `SELECT count(DISTINCT id) FROM`+jobs))
	require.Equal(t, 1, value[int](t, db,
		`SELECT count(*) FROM`+jobs+`WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = j.id)`))
	require.Equal(t, 1, value[int](t, db,
		`SELECT count(*) FROM orders WHERE customer_email LIKE '%@refused.example'`))

	got = load("7")
	require.Equal(t, cli.CodeFailed, got.code)
	require.Contains(t, got.stderr, "give another --seed")
	require.Zero(t, load("8").code)
	require.Equal(t, 118, value[int](t, db, `SELECT count(*) FROM orders`))
}
