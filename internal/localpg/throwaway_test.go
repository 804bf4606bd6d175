//go:build unix

package localpg_test

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/internal/localpg"
)

// ownerVariable makes this test binary start a cluster and wait to be killed.
const ownerVariable = "ROWLOCK_TEST_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerVariable) != "" {
		s, err := localpg.Throwaway(context.Background(), localpg.Options{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.URL)
		select {}
	}
	goleak.VerifyTestMain(m)
}

// needsBinaries skips a test where no cluster can be started.
func needsBinaries(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Postgres, and -short rules that out")
	}
	if _, err := localpg.FindBinaries(t.Context()); err != nil {
		t.Skipf("starts a Postgres: %v", err)
	}
}

// throwaway starts a cluster for a test.
func throwaway(t *testing.T, o localpg.Options) *localpg.Server {
	t.Helper()
	needsBinaries(t)
	s, err := localpg.Throwaway(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// clusterDir returns the directory of a throw-away cluster.
func clusterDir(t *testing.T, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	dir := u.Query().Get("host")
	require.DirExists(t, dir)
	return dir
}

// setting asks a server for one of its settings.
func setting(t *testing.T, server, name string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&value))
	return value
}

func TestThrowawayLeavesNothing(t *testing.T) {
	t.Parallel()
	s := throwaway(t, localpg.Options{})
	require.True(t, s.Throwaway)
	require.Contains(t, s.How, "throw-away")
	dir := clusterDir(t, s.URL)
	require.Equal(t, dir, setting(t, s.URL, "unix_socket_directories"))
	require.Empty(t, setting(t, s.URL, "listen_addresses"))

	require.NoError(t, s.Close())
	require.NoDirExists(t, dir)
	require.NoError(t, s.Close(), "a second time")
}

func TestThrowawayIsPrivate(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(clusterDir(t, throwaway(t, localpg.Options{}).URL))
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "all who can enter it can be superuser")
}

func TestDurability(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		durable bool
		want    map[string]string
	}{
		{false, map[string]string{
			"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
		}},
		{true, map[string]string{
			"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on",
			"max_wal_size": "8GB",
		}},
	} {
		t.Run(fmt.Sprint(test.durable), func(t *testing.T) {
			t.Parallel()
			s := throwaway(t, localpg.Options{Durable: test.durable})
			for name, want := range test.want {
				require.Equal(t, want, setting(t, s.URL, name), name)
			}
		})
	}
}

func TestSettingsWin(t *testing.T) {
	t.Parallel()
	s := throwaway(t, localpg.Options{
		MaxConnections: 17,
		Settings:       map[string]string{"fsync": "on", "work_mem": "5MB"},
	})
	require.Equal(t, "17", setting(t, s.URL, "max_connections"))
	require.Equal(t, "on", setting(t, s.URL, "fsync"))
	require.Equal(t, "5MB", setting(t, s.URL, "work_mem"))
}

// TestDeadOwner kills the process that started a cluster, as the kernel or a
// test's time-out does.
func TestDeadOwner(t *testing.T) {
	t.Parallel()
	needsBinaries(t)

	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerVariable+"=1")
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	server := strings.TrimSpace(line)
	dir := clusterDir(t, server)
	pid, err := os.ReadFile(filepath.Join(dir, "data/postmaster.pid"))
	require.NoError(t, err)

	require.NoError(t, owner.Process.Kill())
	require.Error(t, owner.Wait(), "it was killed")
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 20*time.Second, 10*time.Millisecond, "%s is still there", dir)
	first, _, _ := strings.Cut(string(pid), "\n")
	require.Error(t, exec.Command("kill", "-0", first).Run(), "postgres %s still runs", first)
}

func TestStartIsInterrupted(t *testing.T) {
	t.Parallel()
	needsBinaries(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := localpg.Throwaway(ctx, localpg.Options{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	needsBinaries(t)
	_, err := localpg.Throwaway(t.Context(), localpg.Options{
		Settings: map[string]string{"work_mem": "a lot"},
	})
	require.ErrorContains(t, err, `invalid value for parameter "work_mem": "a lot"`)
	require.ErrorContains(t, err, "DATABASE_URL", "it says what else to do")
}

func TestLongDirectory(t *testing.T) {
	t.Parallel()
	needsBinaries(t)
	_, err := localpg.Throwaway(t.Context(), localpg.Options{Dir: "/" + strings.Repeat("d", 90)})
	require.ErrorContains(t, err, "name a shorter one")
}
