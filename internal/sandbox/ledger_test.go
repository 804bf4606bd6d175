package sandbox_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
)

// What a call has left behind holds for the next run on the same folder.
func TestAnotherSandboxRemembersTheLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := sandbox.Options{Hang: time.Millisecond}
	s := start(t, dir, opts)
	p := newPayer(t, s.GatewayURL)
	ok := p.mustPost(t, "ok", sandbox.TokenOK, http.StatusCreated)
	declined := p.mustPost(t, "declined", sandbox.TokenDeclined, http.StatusPaymentRequired)
	p.mustPost(t, "outage", sandbox.TokenOutage, http.StatusInternalServerError)
	p.mustPost(t, "500", sandbox.Token500AfterCharge, http.StatusInternalServerError)
	_, err := p.post(t.Context(), "hang", sandbox.TokenHang)
	require.Error(t, err)
	require.NoError(t, s.Close())

	s = start(t, dir, opts)
	p = newPayer(t, s.GatewayURL)
	require.Equal(t, ok, p.mustPost(t, "ok", sandbox.TokenOK, http.StatusCreated))
	require.Equal(t, declined,
		p.mustPost(t, "declined", sandbox.TokenDeclined, http.StatusPaymentRequired))
	p.mustPost(t, "outage", sandbox.TokenOutage, http.StatusCreated)
	p.mustPost(t, "500", sandbox.Token500AfterCharge, http.StatusInternalServerError)
	p.mustPost(t, "hang", sandbox.TokenHang, http.StatusCreated)
	p.mustPost(t, "ok", sandbox.TokenSlow, http.StatusUnprocessableEntity)

	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Len(t, ledger.Captured, 4)
	require.Zero(t, ledger.Duplicates)
}

// A line without its end was never answered for: it counts for nothing and does
// not spoil the line after it.
func TestTornLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	newPayer(t, s.GatewayURL).mustPost(t, "a", sandbox.TokenOK, http.StatusCreated)
	require.NoError(t, s.Close())

	path := filepath.Join(dir, "ledger.jsonl")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for n := 1; n < len(whole); n++ {
		torn := append(whole[:len(whole):len(whole)], whole[:n]...)
		require.NoError(t, os.WriteFile(path, torn[:len(whole)+n-n%2], 0o600))
		ledger, err := sandbox.ReadLedger(dir)
		require.NoError(t, err)
		require.Len(t, ledger.Captured, 1)
	}

	s = start(t, dir, sandbox.Options{})
	p := newPayer(t, s.GatewayURL)
	p.mustGet(t, "a", http.StatusOK)
	p.mustPost(t, "b", sandbox.TokenOK, http.StatusCreated)
	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Len(t, ledger.Captured, 2)
}

func TestBrokenLedger(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "\x00\x00", "{}", `{"key": "k"}`, `{"key": "k", "outcome": "lost"}`, `[]`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.jsonl")
		require.NoError(t, os.WriteFile(path, []byte(line+"\n"), 0o600))
		_, err := sandbox.Start(t.Context(), dir, sandbox.Options{})
		require.ErrorContains(t, err, path+" line 1: ", "%q", line)
		require.ErrorContains(t, err, "move that file away", "%q", line)
		_, err = sandbox.ReadLedger(dir)
		require.ErrorContains(t, err, path+" line 1: ", "%q", line)
	}
}

func TestLedgerCountsDuplicates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var text string
	for _, line := range []struct{ key, reference string }{
		{"a", "order 1"}, {"b", "order 1"}, {"c", "order 2"}, {"d", ""}, {"d", ""}, {"order 2", ""},
	} {
		text += fmt.Sprintf(`{"outcome": "captured", "key": %q, "reference": %q}`+"\n",
			line.key, line.reference)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.jsonl"), []byte(text), 0o600))
	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Len(t, ledger.Captured, 6)
	require.Equal(t, 2, ledger.Duplicates)
}

func TestReadersWantASandboxFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := sandbox.ReadLedger(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "is "+dir+" a sandbox's folder?")
	_, err = sandbox.ReadMailbox(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "is "+dir+" a sandbox's folder?")
}
