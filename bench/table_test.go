package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	r := &Report{
		Cores: 2, Postgres: "18.4", PostgresSettings: "fsync on", Redis: "7.0",
		Options: Options{Runs: 3},
		Systems: map[string]About{
			"rowlock": {
				Name: "rowlock", Version: "this tree", Store: "Postgres", Settings: "defaults",
				Insert: "InsertBatch", History: "row in a table",
			},
			"asynq": {
				Name: "asynq", Version: "0.26.0", Store: "Redis", Settings: "Concurrency 50",
				Insert: "Enqueue", History: "none", Feed: Feed{2, 5000},
			},
		},
		Skipped: []Skipped{{"sidekiq", "no ruby"}},
		Sums: []Sum{
			{
				System: "rowlock", Workload: insert, Jobs: 1000, Speed: 9000, Min: 1, Max: 9000,
				WAL: 300,
			},
			{System: "rowlock", Workload: drain, Jobs: 1000, Speed: 9000, Min: 1, Max: 9000, Ratio: 1},
			{System: "asynq", Workload: drain, Jobs: 1000, Speed: 900, Min: 1, Max: 900, Ratio: 10},
		},
	}
	var b strings.Builder
	require.NoError(t, printTable(&b, r))
	require.Equal(t, `
system   version    store     keeps  workload   jobs  jobs/s  (min–max)  WAL B/job  rowlock ×
rowlock  this tree  Postgres  row    insert    1,000   9,000  (1–9,000)        300          –

rowlock  this tree  Postgres  row    drain     1,000   9,000  (1–9,000)          –       1.00
asynq    0.26.0     Redis     none   drain     1,000     900    (1–900)          –      10.00

rowlock: defaults; insert: InsertBatch; history: row in a table
asynq: Concurrency 50; insert: Enqueue; history: none; steady: 2 producers of 5,000 jobs a call
sidekiq: skipped: no ruby

Medians of 3 runs, by turns; 2 cores, shared by the server and the workers.
Postgres 18.4: fsync on
Redis 7.0: appendonly yes, appendfsync everysec, no snapshots. A crash may lose the last second
    there, and nothing that was committed in Postgres: figures from Redis promise less.
`, "\n"+b.String())
}

func TestWrappedLinesFit(t *testing.T) {
	for line := range strings.Lines(wrapped(strings.Repeat("some words ", 50))) {
		require.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 100)
	}
	require.Empty(t, wrapped(""))
}

func TestTheBestVariantIsInTheSettings(t *testing.T) {
	a := About{Settings: "one process, concurrency %s", Variants: []int{5, 10}}
	a.choose(10)
	require.Equal(t, "one process, concurrency 10 (the best of 5, 10)", a.Settings)
	plain := About{Settings: "100 %"}
	plain.choose(0)
	require.Equal(t, "100 %", plain.Settings)
}
