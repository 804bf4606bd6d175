//go:build unix

package localpg_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/localpg"
)

// nobodyThere is an address at which no server listens.
const nobodyThere = "postgres://someone:hush@127.0.0.1:1/somewhere"

// clean takes what names a server from the environment.
func clean(t *testing.T) {
	t.Helper()
	for _, name := range []string{"DATABASE_URL", "PGSERVICE", "PGHOST", "PGDATABASE", "PG_BIN"} {
		t.Setenv(name, "")
	}
}

// programs makes a directory with shell scripts in it: name, script, and so on.
func programs(t *testing.T, scripts ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(scripts); i += 2 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, scripts[i]),
			[]byte("#!/bin/sh\n"+scripts[i+1]), 0o755))
	}
	return dir
}

func TestNamedServerIsUsedOrNothing(t *testing.T) {
	for _, variable := range []string{"", "DATABASE_URL", "PGHOST", "PGDATABASE"} {
		t.Run(variable, func(t *testing.T) {
			clean(t)
			var o localpg.Options
			want := variable
			switch variable {
			case "":
				o.URL, want = nobodyThere, "the given URL"
			case "DATABASE_URL":
				t.Setenv(variable, nobodyThere)
			default:
				t.Setenv("PGHOST", "127.0.0.1")
				t.Setenv("PGPORT", "1")
				t.Setenv(variable, "127.0.0.1")
				if variable == "PGDATABASE" {
					t.Setenv("PGHOST", "")
				}
			}
			_, err := localpg.Start(t.Context(), o)
			require.ErrorContains(t, err, "use the Postgres of "+want)
			require.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestNothingIsNamed(t *testing.T) {
	clean(t)
	t.Setenv("PGUSER", "me")
	s, err := localpg.Given(t.Context(), "")
	require.NoError(t, err)
	require.Nil(t, s)
}

func TestNamedServerIsKept(t *testing.T) {
	clean(t)
	own := throwaway(t, localpg.Options{})
	s, err := localpg.Start(t.Context(), localpg.Options{URL: own.URL})
	require.NoError(t, err)
	require.False(t, s.Throwaway)
	require.NoError(t, s.Close())
	require.Equal(t, "on", setting(t, own.URL, "autovacuum"), "it still answers")
}

func TestVersionOfBinaries(t *testing.T) {
	for version, want := range map[string]string{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)": "15.18",
		"postgres (PostgreSQL) 18.4":                           "18.4",
		"postgres (PostgreSQL) 19beta1":                        "19beta1",
		"postgres (PostgreSQL) 14.22":                          "",
		"postgres (PostgreSQL) 9.6.24":                         "",
		"something else":                                       "",
	} {
		t.Run(version, func(t *testing.T) {
			dir := programs(t, "initdb", "", "postgres", "echo '"+version+"'")
			t.Setenv("PG_BIN", dir)
			b, err := localpg.FindBinaries(t.Context())
			require.Equal(t, want, b.Version)
			if want == "" {
				require.ErrorIs(t, err, localpg.ErrNoBinaries)
				require.ErrorContains(t, err, "PG_BIN="+dir)
			}
		})
	}
}

func TestBinariesNeedBothPrograms(t *testing.T) {
	t.Setenv("PG_BIN", programs(t, "postgres", "echo 'postgres (PostgreSQL) 18.4'"))
	_, err := localpg.FindBinaries(t.Context())
	require.ErrorIs(t, err, localpg.ErrNoBinaries)
	require.ErrorContains(t, err, "initdb")
}

func TestWithoutPostgresThreeLinesSayWhatToDo(t *testing.T) {
	clean(t)
	t.Setenv("PG_BIN", t.TempDir())
	t.Setenv("PATH", programs(t, "docker", "echo 'Cannot connect' >&2; exit 1"))
	_, err := localpg.Start(t.Context(), localpg.Options{})
	require.Len(t, strings.Split(err.Error(), "\n"), 3)
	require.ErrorContains(t, err, "apt-get install postgresql")
	require.ErrorContains(t, err, "export DATABASE_URL=")
	require.ErrorIs(t, err, localpg.ErrNoBinaries)
}

func TestDockerIsStartedFromOurComposeFile(t *testing.T) {
	clean(t)
	t.Setenv("PG_BIN", t.TempDir())
	called := filepath.Join(t.TempDir(), "called")
	t.Setenv("PATH", programs(t, "docker", `case $1 in
		version) echo 28 ;;
		compose) echo "$@" >`+called+`; exit 7 ;;
	esac`))
	_, err := localpg.Start(t.Context(), localpg.Options{})
	require.ErrorContains(t, err, "docker compose up postgres: exit status 7")
	require.ErrorContains(t, err, "DATABASE_URL", "it says what else to do")

	args, err := os.ReadFile(called)
	require.NoError(t, err)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	require.Equal(t, "compose --file "+filepath.Join(root, "docker-compose.yml")+
		" up --detach --wait postgres\n", string(args))
}

func TestStrangersComposeFileIsNotStarted(t *testing.T) {
	clean(t)
	t.Setenv("PG_BIN", t.TempDir())
	t.Setenv("PATH", programs(t, "docker", "echo 28"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("docker-compose.yml", []byte("services: {}\n"), 0o644))
	_, err := localpg.Start(t.Context(), localpg.Options{})
	require.ErrorContains(t, err, "no checkout of rowlock")
}
