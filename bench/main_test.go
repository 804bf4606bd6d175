package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/localpg"
)

func TestRowlockAndLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: nothing is measured")
	}
	var stdout, stderr bytes.Buffer
	file := filepath.Join(t.TempDir(), "new", "results.json")
	err := run(t.Context(), []string{
		"--only", "limit,rowlock", "--jobs", "500", "--runs", "2", "--steady", "200ms",
		"--json", "--out", file,
	}, &stdout, &stderr)
	if none, ok := errors.AsType[*localpg.NotFoundError](err); ok {
		t.Skipf("NOT TESTED: %v", none)
	}
	require.NoError(t, err, stderr.String())

	var r Report
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &r))
	require.FileExists(t, file)
	require.Equal(t, []string{"rowlock", "limit"}, r.Options.Only)
	require.Contains(t, r.PostgresSettings, "synchronous_commit on")
	require.Len(t, r.Runs, 2*(3+2), "rowlock has three workloads, plain SQL two")
	for _, s := range r.Sums {
		require.Positive(t, s.Speed, s)
		require.Positive(t, s.Ratio, s)
		require.Positive(t, s.Jobs, s)
	}
	require.Contains(t, stderr.String(), "round 2 of 2: rowlock: drain: ")
	require.Equal(t, Feed{1, 1000}, r.Systems["rowlock"].Feed, "the others do not fit into the backlog")
}

func TestFlags(t *testing.T) {
	o, _, err := parse([]string{"--only", "river,rowlock", "--workloads", "drain"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"rowlock", "river"}, o.Only)
	require.Equal(t, []string{drain}, o.Workloads)
	require.Equal(t, 3, o.Runs)

	for _, wrong := range [][]string{
		{"--only", "rover"}, {"--workloads", ""}, {"--jobs", "0"}, {"--runs", "0"}, {"drain"},
	} {
		_, _, err := parse(wrong, io.Discard)
		require.Error(t, err, wrong)
	}
}

func TestEveryKeyIsAPeer(t *testing.T) {
	for _, key := range keys {
		require.Equal(t, key == "limit", peerOf(key) == nil, key)
	}
}

func TestNodeIsNewEnough(t *testing.T) {
	for printed, want := range map[string]bool{
		"v20.20.2\n": false, "v22.17.9": false, "v22.18.0": true, "v26.1.0": true, "what": false,
	} {
		require.Equal(t, want, newEnough(printed), printed)
	}
}

func TestRedisVersion(t *testing.T) {
	require.Equal(t, "7.0.15", redisVersion("Redis server v=7.0.15 sha=00000000:0 malloc=libc"))
	require.Equal(t, "what", redisVersion("what\n"))
}

func TestDatabaseURL(t *testing.T) {
	for given, want := range map[string]string{
		"postgres:///postgres?host=/tmp/x&port=5432&user=postgres&sslmode=disable":
		/* */ "postgres:///other?host=%2Ftmp%2Fx&port=5432&sslmode=disable&user=postgres",
		"postgres://me:a%2Fb@[::1]:5433/shop?sslmode=disable":
		/* */ "postgres://me:a%2Fb@[::1]:5433/other?sslmode=disable",
	} {
		c, err := pgx.ParseConfig(given)
		require.NoError(t, err)
		require.Equal(t, want, databaseURL(c, "other"))
	}
}
