package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/internal/sandbox"
)

func TestRunRefusesToStartOnWrongSettings(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(pgtest.New(t))
	empty := pgtest.URL(pgtest.Empty(t))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	good := map[string]string{
		"--database-url": url, "--gateway-url": "http://127.0.0.1:1", "--smtp-url": "smtp://127.0.0.1:1",
		"--export-dir": t.TempDir(), "--health-addr": "off",
	}
	for _, c := range []struct {
		flag, is, want string
		code           int
	}{
		{"--database-url", "postgres://127.0.0.1:1/x", "worker: ", cli.CodeNoDatabase},
		{"--database-url", "mysql://127.0.0.1/x", "--database-url (DATABASE_URL)", cli.CodeUsage},
		{"--database-url", empty, "worker migrate", cli.CodeFailed},
		{"--gateway-url", "", "give --gateway-url, or set GATEWAY_URL", cli.CodeUsage},
		{"--gateway-url", "ftp://x", "GATEWAY_URL", cli.CodeUsage},
		{"--smtp-url", "", "give --smtp-url, or set SMTP_URL", cli.CodeUsage},
		{"--smtp-url", "http://x", "SMTP_URL", cli.CodeUsage},
		{"--mail-from", "nobody", "MAIL_FROM", cli.CodeUsage},
		{"--export-dir", filepath.Join(t.TempDir(), "none"), "create it", cli.CodeUsage},
		{"--export-dir", file, "EXPORT_DIR", cli.CodeUsage},
		{"--export-url", "://", "EXPORT_URL", cli.CodeUsage},
		{"--health-addr", taken.Addr().String(), "is taken: stop what listens there", cli.CodeFailed},
		{"--health-addr", "nowhere", "HEALTH_ADDR", cli.CodeUsage},
		{"--queues", "default", "QUEUES", cli.CodeUsage},
		{"--queues", "default:0", "QUEUES", cli.CodeUsage},
		{"--queues", "default:x", "QUEUES", cli.CodeUsage},
		{"--queues", "default:1,default:2", "default", cli.CodeUsage},
		{"--queues", "no queue:2", "QUEUES", cli.CodeUsage},
		{"--shutdown-timeout", "-1s", "SHUTDOWN_TIMEOUT", cli.CodeUsage},
		{"--log-format", "xml", "log-format", cli.CodeUsage},
		{"--log-level", "loud", "log-level", cli.CodeUsage},
	} {
		args := []string{"run"}
		for flag, value := range good {
			if flag != c.flag {
				args = append(args, flag, value)
			}
		}
		got := worker(t, append(args, c.flag, c.is)...)
		require.Equal(t, c.code, got.code, "%s %q: %s", c.flag, c.is, got.stderr)
		require.Contains(t, got.stderr, c.want, "%s %q", c.flag, c.is)
		require.Empty(t, got.stdout)
	}
}

// runFlags are those of a worker on a database and a sandbox, whose folder takes the
// exports too.
func runFlags(url string, servers *sandbox.Sandbox, dir string) []string {
	return []string{
		"run", "--database-url", url, "--gateway-url", servers.GatewayURL,
		"--smtp-url", servers.SMTPURL, "--export-dir", dir,
	}
}

func TestHealthAnswersWhatTheWorkerSays(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := probe.Addr().String()
	require.NoError(t, probe.Close())
	got := worker(t, "health", "--addr", addr)
	require.Equal(t, cli.CodeFailed, got.code)
	require.Contains(t, got.stderr, "worker: ")

	s := newShopOfProcesses(t)
	run := spawn(t, append(s.env, "HEALTH_ADDR="+addr), "run")
	require.Eventually(t, func() bool {
		return worker(t, "health", "--addr", addr).code == 0
	}, patience, tick)
	run.signal(os.Interrupt)
	require.Zero(t, run.outcome().code)
}

var healthLine = regexp.MustCompile(`health is served" addr=(\S+)`)

// healthAddr returns where a worker with --health-addr 127.0.0.1:0 serves its health.
func (c *child) healthAddr() string {
	c.t.Helper()
	c.await(c.stderr, "health is served")
	found := healthLine.FindStringSubmatch(c.stderr.String())
	require.NotNil(c.t, found, c.stderr)
	return found[1]
}

// get returns what an address answers.
func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}
