package migrations_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/localpg"
	"github.com/rowlock/rowlock/internal/pgtest"
)

var update = flag.Bool("update", false, "write schema.sql instead of comparing with it")

// dumpMajor is the version of Postgres and pg_dump that schema.sql is of: each
// writes a little differently, and pg_dump refuses a server that is newer.
const dumpMajor = 15

const schemaFile = "schema.sql"

// TestSchema compares schema.sql, in which the whole schema can be read, with what
// the migrations make. After a new one, "make schema" writes it anew.
func TestSchema(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var server int
	require.NoError(t, db.QueryRow(t.Context(),
		`SELECT current_setting('server_version_num')::integer / 10000`).Scan(&server))
	if server != dumpMajor {
		unfit(t, fmt.Sprintf("schema.sql is a dump of Postgres %d, and this is %d", dumpMajor, server))
	}
	program := findDump(t)
	if program == "" {
		if os.Getenv("CI") == "true" {
			require.FailNow(t, "no pg_dump", "install that of Postgres %d", dumpMajor)
		}
		unfit(t, fmt.Sprintf("no pg_dump of Postgres %d on this machine", dumpMajor))
	}
	got := dump(t, program, db)
	if *update {
		require.NoError(t, os.WriteFile(schemaFile, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	if got != string(want) { // require.Equal would print both
		require.FailNow(t, `schema.sql is out of date: run "make schema"`,
			"the first line that differs is %s", firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	old, made := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(old), len(made)) {
		if old[i] != made[i] {
			return fmt.Sprintf("%d: %q, and it should be %q", i+1, old[i], made[i])
		}
	}
	return fmt.Sprintf("%d: one ends there", min(len(old), len(made)))
}

// unfit ends the test where the dump cannot be made.
func unfit(t *testing.T, why string) {
	t.Helper()
	if *update {
		require.FailNow(t, why)
	}
	t.Skip(why)
}

// dumpPlaces are where packages put pg_dump: that of Debian, of postgresql.org for
// Red Hat and SUSE, of Alpine and of Homebrew.
var dumpPlaces = []string{
	"/usr/lib/postgresql/%d/bin", "/usr/pgsql-%d/bin", "/usr/libexec/postgresql%d",
	"/opt/homebrew/opt/postgresql@%d/bin", "/usr/local/opt/postgresql@%d/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql@%d/bin",
}

// findDump returns the path of a pg_dump of dumpMajor, or "".
func findDump(t *testing.T) string {
	t.Helper()
	var dirs []string
	if found, err := localpg.FindBinaries(t.Context()); err == nil {
		dirs = append(dirs, found.Dir)
	}
	for _, place := range dumpPlaces {
		dirs = append(dirs, fmt.Sprintf(place, dumpMajor))
	}
	dirs = append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
	for _, dir := range dirs {
		program := filepath.Join(dir, "pg_dump")
		version, err := exec.CommandContext(t.Context(), program, "--version").Output()
		if err == nil && strings.Contains(string(version), fmt.Sprintf("(PostgreSQL) %d.", dumpMajor)) {
			return program
		}
	}
	return ""
}

// minor matches what a dump of the same schema has differently after an update of
// Postgres: the versions, and a key made up for each dump.
var minor = regexp.MustCompile(`(?m)^(-- Dumped (from|by) .*|\\(un)?restrict .*)\n+`)

// dump returns the schema of db as SQL, without the partitions for single days.
func dump(t *testing.T, program string, db *pgxpool.Pool) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "--schema-only", "--no-owner",
		"--no-privileges", "--exclude-table=finished_jobs_[0-9]*", "--dbname="+pgtest.URL(db))
	cmd.Env = append(os.Environ(), "PGTZ=UTC")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	return minor.ReplaceAllString(string(out), "")
}
