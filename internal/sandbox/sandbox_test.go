package sandbox_test

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
)

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	taken := listener.Addr().(*net.TCPAddr).Port
	inUse := t.TempDir()
	start(t, inUse, sandbox.Options{})

	for name, c := range map[string]struct {
		dir  string
		opts sandbox.Options
		want string
		is   error
	}{
		"missing folder": {
			dir: filepath.Join(dir, "none"), want: "does not exist: create it", is: fs.ErrNotExist,
		},
		"no folder named": {want: "does not exist", is: fs.ErrNotExist},
		"a file":          {dir: file, want: "is not a folder"},
		"gateway's port taken": {
			dir: dir, opts: sandbox.Options{GatewayPort: taken},
			want: "payment gateway: port", is: syscall.EADDRINUSE,
		},
		"mail server's port taken": {
			dir: dir, opts: sandbox.Options{SMTPPort: taken},
			want: "mail server: port", is: syscall.EADDRINUSE,
		},
		"no such port":  {dir: dir, opts: sandbox.Options{SMTPPort: 70000}, want: "choose a port"},
		"folder in use": {dir: inUse, want: "in use by another sandbox: stop that one"},
	} {
		_, err := sandbox.Start(t.Context(), c.dir, c.opts)
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "\n", name)
		if c.is != nil {
			require.ErrorIs(t, err, c.is, name)
		}
	}
	start(t, dir, sandbox.Options{}) // none of the above holds the folder still
}

func TestStartWantsAFolderToWriteTo(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("the superuser may write anywhere")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err := sandbox.Start(t.Context(), dir, sandbox.Options{})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "cannot be written")
	require.NotContains(t, err.Error(), "\n")
}

func TestSandboxEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	dir := t.TempDir()
	s, err := sandbox.Start(ctx, dir, sandbox.Options{})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(s.GatewayURL, "http://127.0.0.1:"))
	require.True(t, strings.HasPrefix(s.SMTPURL, "smtp://127.0.0.1:"))
	newPayer(t, s.GatewayURL).mustPost(t, "k", sandbox.TokenOK, http.StatusCreated)
	cancel(net.ErrClosed) // any reason is the caller's wish
	require.NoError(t, s.Wait())
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = newPayer(t, s.GatewayURL).get(t.Context(), "k")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	start(t, dir, sandbox.Options{})
}
