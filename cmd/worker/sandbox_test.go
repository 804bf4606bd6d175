package main

import (
	"net"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
)

func TestSandboxPrintsOneLineAndServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	first := spawn(t, nil, "sandbox", "--dir", dir)
	first.await(first.stdout, "\n")
	require.Regexp(t, `^GATEWAY_URL=http://127\.0\.0\.1:\d+ SMTP_URL=smtp://127\.0\.0\.1:\d+\n$`,
		first.stdout.String())

	got := worker(t, "sandbox", "--dir", dir)
	require.Equal(t, cli.CodeFailed, got.code)
	require.Contains(t, got.stderr, "is in use by another sandbox")
	require.Empty(t, got.stdout)

	first.signal(syscall.SIGTERM)
	require.Zero(t, first.outcome().code)

	second := spawn(t, []string{"ROWLOCK_DIR=" + dir}, "sandbox") // on the same folder
	second.await(second.stdout, "\n")
	second.signal(syscall.SIGINT)
	require.Zero(t, second.outcome().code)
}

func TestSandboxNeedsItsPortsAndFolder(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	for _, flag := range []string{"--gateway-port", "--smtp-port"} {
		got := worker(t, "sandbox", "--dir", t.TempDir(), flag, port)
		require.Equal(t, cli.CodeFailed, got.code)
		require.Contains(t, got.stderr, "port "+port+" is taken")
		require.Empty(t, got.stdout)
	}
	got := worker(t, "sandbox", "--dir", filepath.Join(t.TempDir(), "no", "such"))
	require.Equal(t, cli.CodeUsage, got.code)
	require.Contains(t, got.stderr, "name a folder whose parent is there")
}
