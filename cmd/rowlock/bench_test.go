package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/localpg"
	"github.com/rowlock/rowlock/internal/pgtest"
)

// schemaStands says whether a benchmark's schema is there.
func schemaStands(t *testing.T, db *pgxpool.Pool) (stands bool) {
	t.Helper()
	err := db.QueryRow(t.Context(), `SELECT to_regnamespace($1) IS NOT NULL`, bench.SchemaName).Scan(&stands)
	require.NoError(t, err)
	return stands
}

// fields reads the one object that a command has printed.
func fields(t *testing.T, stdout string, into any) {
	t.Helper()
	require.Equal(t, 1, strings.Count(stdout, "\n"), stdout)
	require.NoError(t, json.Unmarshal([]byte(stdout), into), stdout)
}

func TestBenchDrain(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	got := call(t, pgtest.URL(db), strings.Fields("bench drain --jobs 2000 --runs 2 --slots 7 --json")...)
	require.Zero(t, got.code, got.stderr)
	require.Empty(t, got.stderr)
	var r struct {
		bench.DrainResult
		facts
	}
	fields(t, got.stdout, &r)
	require.Equal(t, 2000, r.Jobs)
	require.Positive(t, r.JobsPerSecond)
	require.Positive(t, r.Limit)
	require.InDelta(t, r.JobsPerSecond/r.Limit, r.Ratio, 0.001)
	require.InDelta(t, 1, r.Hot, 0.02)
	require.Positive(t, r.WAL)
	require.Len(t, r.Runs, 1+5+2)
	for _, run := range r.Runs {
		require.Positive(t, run.JobsPerSecond)
		require.InDelta(t, 1, run.Hot, 0.02)
	}
	require.Positive(t, r.CPUs)
	require.NotEmpty(t, r.Postgres)
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "autovacuum", "max_wal_size"} {
		require.Contains(t, r.Settings, name)
	}
	require.False(t, schemaStands(t, db))
}

func TestBenchDrainForPeople(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	got := call(t, pgtest.URL(db), strings.Fields("bench drain --jobs 1500 --runs 1")...)
	require.Zero(t, got.code, got.stderr)
	require.Empty(t, got.stderr)
	require.Regexp(t, `(?s)^postgres  \d.*\nsettings  .*\bfsync=.*\nmachine   \d+ CPUs, go.*\n\n`+
		`WHAT .*\ndrain +1 +\d.*\nlimit, 1 loop of 1000 +1 .*\n(limit, [123] loops? of \d+ +1 .*\n){4}\n`+
		`ratio to the limit: \d+\.\d{3}; runs of 1500 jobs, with.* CHECKPOINT.*\n$`, got.stdout)
	require.False(t, schemaStands(t, db))
}

// It is not parallel: inserts of other tests in this process would wake its worker.
func TestBenchIdleSaysLittle(t *testing.T) {
	db := pgtest.Empty(t)
	got := call(t, pgtest.URL(db), strings.Fields("bench idle --for 3s --json")...)
	require.Zero(t, got.code, got.stderr)
	require.Empty(t, got.stderr)
	// A beat and a look each, and now and then what looks for unknown kinds.
	require.Regexp(t, `^{"seconds":3\.?\d*,"statements_per_second":[1-4]\.?\d*,`+
		`"transactions_per_second":\d+\.?\d*,`, got.stdout)
	require.Regexp(t, `"heap_bytes":[1-9]\d+,"postgres":"1\d\.`, got.stdout)
}

func TestBenchLatency(t *testing.T) {
	t.Parallel()
	for args, jobs := range map[string]int{"--rate 300 --for 1s": 300, "--rate 0 --for 200ms": 0} {
		db := pgtest.Empty(t)
		got := call(t, pgtest.URL(db), append(strings.Fields("bench latency --json"), strings.Fields(args)...)...)
		require.Zero(t, got.code, got.stderr)
		var r bench.LatencyResult
		fields(t, got.stdout, &r)
		if jobs > 0 {
			require.Equal(t, jobs, r.Jobs)
		}
		require.Positive(t, r.Jobs)
		require.Positive(t, r.Rate)
		require.LessOrEqual(t, r.P50, r.P99)
		require.LessOrEqual(t, r.P99, r.P999)
		require.LessOrEqual(t, r.P999, r.Max)
		require.LessOrEqual(t, r.DatabaseP50, r.DatabaseMax)
		counted := 0
		for _, b := range r.Buckets {
			counted += b.Jobs
		}
		require.Equal(t, r.Jobs, counted)
		require.False(t, schemaStands(t, db))
	}
}

func TestBenchInsert(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	got := call(t, pgtest.URL(db), strings.Fields("bench insert --jobs 70 --batch 1500 --runs 2 --json")...)
	require.Zero(t, got.code, got.stderr)
	var r bench.InsertResult
	fields(t, got.stdout, &r)
	for _, c := range []bench.Comparison{r.Single, r.InTx, r.Many} {
		require.Positive(t, c.JobsPerSecond)
		require.InDelta(t, c.JobsPerSecond/c.Plain, c.Ratio, 0.001)
		require.Len(t, c.Runs, 2)
		require.Len(t, c.PlainRuns, 2)
	}
	require.False(t, schemaStands(t, db))
	got = call(t, pgtest.URL(db), strings.Fields("bench insert --jobs 5 --batch 5 --runs 1")...)
	require.Regexp(t, `\n\nWHAT .*\ninsert +\d.*\ninsert in tx +\d.*\ninsert batch +\d.*\n\nruns: 1 of 5 jobs,`,
		got.stdout)
}

func TestBenchIsInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, install(dir))
	db := pgtest.Empty(t)
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(dir, program), strings.Fields("bench latency --for 1h --json")...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+pgtest.URL(db))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	eventually(t, func() (enough bool, err error) {
		if !schemaStands(t, db) {
			return false, nil
		}
		err = db.QueryRow(t.Context(), `SELECT count(*) > 100 FROM rowlock_bench.finished_jobs`).Scan(&enough)
		return enough, err
	})
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	_, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	require.True(t, ok)
	require.Equal(t, cli.CodeInterrupted, cmd.ProcessState.ExitCode(), stderr.String())
	require.Equal(t, "rowlock: interrupted\n", stderr.String())
	var r bench.LatencyResult
	fields(t, stdout.String(), &r)
	require.Positive(t, r.Jobs)
	require.False(t, schemaStands(t, db))
}

func TestBenchIsInterruptedEarly(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan outcome)
	go func() {
		var stdout, stderr bytes.Buffer
		code := run(ctx, []string{"bench", "drain", "--jobs", "5000000", "--database-url", pgtest.URL(db)},
			strings.NewReader(""), &stdout, &stderr)
		ended <- outcome{code, stdout.String(), stderr.String()}
	}()
	eventually(t, func() (bool, error) { return schemaStands(t, db), nil })
	cancel()
	require.Equal(t, outcome{cli.CodeInterrupted, "", "rowlock: interrupted\n"}, <-ended)
	require.False(t, schemaStands(t, db))
}

// TestBenchScaleLeavesNobodyBehind is for a kill -9, after which nobody tells the workers.
func TestBenchScaleLeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, install(dir))
	db := pgtest.Empty(t)
	cmd := exec.Command(filepath.Join(dir, program),
		strings.Fields("bench scale --jobs 100000 --runs 1000 --processes 2")...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+pgtest.URL(db))
	require.NoError(t, cmd.Start())
	pids := func() (n int) {
		err := db.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'rowlock'`).Scan(&n)
		require.NoError(t, err)
		return n
	}
	eventually(t, func() (works bool, err error) {
		if !schemaStands(t, db) {
			return false, nil
		}
		// Early, there is no such table yet.
		_ = db.QueryRow(t.Context(), `SELECT count(*) = 2 FROM rowlock_bench.workers WHERE state = 'live'`).Scan(&works)
		return works, nil
	})
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	eventually(t, func() (bool, error) { return pids() == 0, nil })
}

func TestBenchRefusesADatabaseThatWorks(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	small := strings.Fields("bench insert --jobs 1 --batch 1 --runs 1")
	execute(t, db, `INSERT INTO jobs (kind) SELECT 'many' FROM generate_series(1, 7)`)
	got := call(t, pgtest.URL(db), small...)
	require.Equal(t, outcome{cli.CodeUsage, "", "rowlock: this database works: 7 live jobs and 0 live workers " +
		"in schema public: benchmark another one, or give --anyway\n"}, got)
	require.False(t, schemaStands(t, db))
	require.Zero(t, call(t, pgtest.URL(db), append(small, "--anyway")...).code)

	execute(t, db, `TRUNCATE jobs; ALTER SCHEMA public RENAME TO "Shop"; CREATE SCHEMA public;
		INSERT INTO "Shop".workers (lease, slots, name, queues) VALUES ('1 day', 1, 'shop:7', '{default}')`)
	got = call(t, pgtest.URL(db), small...)
	require.Equal(t, cli.CodeUsage, got.code)
	require.Contains(t, got.stderr, "0 live jobs and 1 live workers in schema Shop")

	execute(t, db, `UPDATE "Shop".workers SET state = 'stopped', ended_at = now()`)
	require.Zero(t, call(t, pgtest.URL(db), small...).code)
}

func TestBenchRefusesASchemaThatIsThere(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	small := strings.Fields("bench insert --jobs 1 --batch 1 --runs 1")
	execute(t, db, `CREATE SCHEMA rowlock_bench; CREATE TABLE rowlock_bench.jobs ()`)
	got := call(t, pgtest.URL(db), small...)
	require.Equal(t, cli.CodeUsage, got.code)
	require.Regexp(t, `^rowlock: the schema rowlock_bench is there already, .*--clean.*\n$`, got.stderr)
	require.True(t, schemaStands(t, db))
	got = call(t, pgtest.URL(db), append(small, "--clean")...)
	require.Zero(t, got.code, got.stderr)
	require.False(t, schemaStands(t, db))
}

func TestBenchUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"drain --jobs 0":     "--jobs is 0: give at least 1",
		"drain --runs 0":     "--runs is 0: give at least 1",
		"drain --slots -1":   "--slots is -1: give",
		"drain fast":         `takes flags only, and "fast" is none`,
		"latency --rate -1":  "--rate is -1: give",
		"latency --rate NaN": "--rate is NaN: give",
		"latency --for 0s":   "--for is 0s: give",
		"insert --jobs 0":    "--jobs is 0: give at least 1",
		"insert --batch 0":   "--batch is 0: give at least 1",
		"insert --runs 0":    "--runs is 0: give at least 1",
		"all": `unknown command "all", there are backlog, burst, drain, idle, insert, latency, ` +
			`limit, pool, scale, steady, tx, xmin`,
	} {
		got := call(t, "postgres://127.0.0.1:1/none", append([]string{"bench"}, strings.Fields(args)...)...)
		require.Equal(t, cli.CodeUsage, got.code, args)
		require.Contains(t, got.stderr, want)
		require.Empty(t, got.stdout)
	}
	got := call(t, "postgres://127.0.0.1:1/none", "bench", "drain")
	require.Equal(t, cli.CodeNoDatabase, got.code, got.stderr)
}

// TestBenchStartsAServer is for those who name no database.
func TestBenchStartsAServer(t *testing.T) {
	t.Parallel()
	if _, err := localpg.FindBinaries(t.Context()); err != nil {
		t.Skip("this machine has no server binaries:", err)
	}
	dir := t.TempDir()
	require.NoError(t, install(dir))
	cmd := exec.Command(filepath.Join(dir, program),
		strings.Fields("bench insert --jobs 3 --batch 3 --runs 1 --json")...)
	cmd.Env = append(os.Environ(), "DATABASE_URL=", "PGHOST=", "PGDATABASE=", "PGSERVICE=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	require.Regexp(t, `^database: Postgres .* a throw-away cluster in .* \(durable\)\n$`, stderr.String())
	var f facts
	fields(t, stdout.String(), &f)
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "autovacuum"} {
		require.Equal(t, "on", f.Settings[name], name)
	}
	require.Equal(t, "8GB", f.Settings["max_wal_size"])
}
