package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
)

// lock keeps a table from everyone else until the test ends or release is called.
func lock(t *testing.T, db *pgxpool.Pool, table string) (release func()) {
	t.Helper()
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE `+pgx.Identifier{table}.Sanitize())
	require.NoError(t, err)
	release = func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }
	t.Cleanup(release)
	return release
}

func TestSignalEndsACommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, install(dir))
	for _, c := range []struct {
		args, table string
		signal      syscall.Signal
		want        string
	}{
		{"list", "jobs", syscall.SIGINT, "rowlock: interrupted\n"},
		{"stats", "jobs", syscall.SIGTERM, "rowlock: interrupted\n"},
		{"migrate up", "rowlock_versions", syscall.SIGINT, "rowlock: interrupted\n"},
		{
			"enqueue greet", "jobs", syscall.SIGINT,
			"rowlock: interrupted (the job may be stored: see \"rowlock list --kind greet\")\n",
		},
		{
			"retry 7 8 9", "jobs", syscall.SIGINT,
			"rowlock: interrupted (at job 7, which may be changed or not; not tried: 2 more)\n",
		},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			release := lock(t, db, c.table)
			var stdout, stderr bytes.Buffer
			cmd := exec.Command(filepath.Join(dir, program), strings.Fields(c.args)...)
			cmd.Env = append(os.Environ(), "DATABASE_URL="+pgtest.URL(db))
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			require.NoError(t, cmd.Start())
			awaitBlocked(t, db)
			require.NoError(t, cmd.Process.Signal(c.signal))
			err := cmd.Wait()
			release()
			_, ok := errors.AsType[*exec.ExitError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, cli.CodeInterrupted, cmd.ProcessState.ExitCode(), stderr.String())
			require.Equal(t, c.want, stderr.String())
			require.Empty(t, stdout.String())
		})
	}
}

// An interrupter interrupts at the first word it hears.
type interrupter struct {
	heard     strings.Builder
	interrupt func()
}

func (i *interrupter) Write(p []byte) (int, error) {
	i.interrupt()
	return i.heard.Write(p)
}

func TestInterruptedListLeavesWholeLines(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db, `INSERT INTO jobs (kind) SELECT 'many' FROM generate_series(1, 1000)`)
	ctx, cancel := context.WithCancel(t.Context())
	stdout, stderr := &interrupter{interrupt: cancel}, &bytes.Buffer{}
	code := run(ctx, []string{"list", "--json", "--database-url", pgtest.URL(db)},
		strings.NewReader(""), stdout, stderr)
	require.Equal(t, cli.CodeInterrupted, code)
	require.Equal(t, "rowlock: interrupted\n", stderr.String())
	require.Regexp(t, `^({"id":\d+,[^\n]*}\n)+$`, stdout.heard.String())
	require.Less(t, strings.Count(stdout.heard.String(), "\n"), 1000)
}

func TestQuestionCanBeInterrupted(t *testing.T) {
	t.Parallel()
	silent, nobody := io.Pipe()
	defer nobody.Close()
	cmd := newMigrateDown(&options{})
	cmd.SetIn(silent)
	cmd.SetErr(io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, ask(ctx, cmd, "Take back all?"), context.Canceled)
}

func TestDatabaseThatGoesAway(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"list":          `^rowlock: the database went away: list: [^\n]*; run the command again when it is back\n$`,
		"queues --json": `^rowlock: the database went away: stats: [^\n]*\n$`,
		"enqueue greet": `^rowlock: the database went away: [^\n]*57P01[^\n]*\n$`,
		"cancel 1 2":    `^rowlock: the database went away: [^\n]* \(at job 1, [^\n]*not tried: 1 more\)\n$`,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			lock(t, db, "jobs")
			got := make(chan outcome, 1)
			go func() { got <- call(t, pgtest.URL(db), strings.Fields(args)...) }()
			_, err := db.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, awaitBlocked(t, db))
			require.NoError(t, err)
			o := <-got
			require.Equal(t, cli.CodeNoDatabase, o.code, o.stderr)
			require.Regexp(t, want, o.stderr)
			require.Empty(t, o.stdout)
		})
	}
}

func TestNobodyReadsOn(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db, `INSERT INTO jobs (kind) SELECT 'many' FROM generate_series(1, 1000)`)
	for _, args := range []string{"list --limit 0", "list --json", "show 1", "queues", "stats --json"} {
		var stderr bytes.Buffer
		code := run(t.Context(), append(strings.Fields(args), "--database-url", pgtest.URL(db)),
			strings.NewReader(""), brokenPipe(t), &stderr)
		require.Zero(t, code)
		require.Empty(t, stderr.String())
	}
}
