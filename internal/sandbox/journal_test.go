package sandbox

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// After a write that failed nothing is answered as charged, even when the disk
// would take more: a part of that line may be there.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	j := &journal{file: full, flusher: flusher{file: full}}
	t.Cleanup(func() { require.NoError(t, j.close()) })
	require.ErrorIs(t, j.append("a"), syscall.ENOSPC)

	b := &book{ledger: j, accounts: make(map[string]*account)}
	url := serveGateway(t, &gateway{book: b, log: slog.New(slog.DiscardHandler)}, time.Minute)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/charges",
		strings.NewReader(`{"amount": 1, "currency": "EUR", "source": "tok_ok"}`))
	require.NoError(t, err)
	req.Header.Set("Idempotency-Key", "k")
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	_, err = b.find("k")
	require.ErrorContains(t, err, "no charge")
}

// A client that sends half a call does not hold its connection for ever.
func TestHalfACall(t *testing.T) {
	t.Parallel()
	b, _, err := openBook(openRoot(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.ledger.close()) })
	url := serveGateway(t, &gateway{book: b, log: slog.New(slog.DiscardHandler)},
		10*time.Millisecond)
	for half, status := range map[string]string{
		"POST /charges HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nIdempotency-Key: k\r\n" +
			"Content-Type: application/json\r\n\r\n{": "HTTP/1.1 408",
		"POST /charges HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{":     "HTTP/1.1 400",
		"GET /charges?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n": "HTTP/1.1 404",
		"GET /charges HTTP/1.1\r\nHo":                                         "",
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp",
			strings.TrimPrefix(url, "http://"))
		require.NoError(t, err)
		_, err = conn.Write([]byte(half))
		require.NoError(t, err)
		var answer strings.Builder
		buffer := make([]byte, 1<<10)
		for { // until the server has ended the connection
			n, err := conn.Read(buffer)
			answer.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		require.True(t, strings.HasPrefix(answer.String(), status), answer.String())
		require.NoError(t, conn.Close())
	}
}

func TestAppendFromManyGoroutines(t *testing.T) {
	t.Parallel()
	root := openRoot(t)
	j, _, err := openJournal(root, "j", func([]byte) error { return nil })
	require.NoError(t, err)
	failed := make(chan error, 200)
	var writers sync.WaitGroup
	for n := range cap(failed) {
		writers.Go(func() { failed <- j.append(strings.Repeat("x", n)) })
	}
	writers.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	require.NoError(t, j.close())
	require.ErrorIs(t, j.append("late"), errClosed)

	lines := make(map[int]bool)
	j, torn, err := openJournal(root, "j", func(line []byte) error {
		lines[len(line)-2] = true
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, j.close())
	require.Zero(t, torn)
	require.Len(t, lines, cap(failed))
}

// serveGateway serves g, whose clients have readTimeout for a call.
func serveGateway(t *testing.T, g *gateway, readTimeout time.Duration) (url string) {
	t.Helper()
	web, err := listen(t.Context(), "payment gateway", 0)
	require.NoError(t, err)
	server := g.server(t.Context())
	server.ReadTimeout, server.IdleTimeout = readTimeout, readTimeout
	ended := make(chan error)
	go func() { ended <- server.Serve(web) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return "http://" + web.Addr().String()
}

func openRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	return root
}
