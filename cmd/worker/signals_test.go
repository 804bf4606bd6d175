package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/internal/sandbox"
	"github.com/rowlock/rowlock/orders"
)

// A stalled gateway holds each charge until it is let go.
type stalled struct {
	*httptest.Server
	calls chan struct{} // a value per charge that has come
	gone  chan struct{} // a value per caller that went away
	let   chan struct{} // closed to answer
}

func newStalled(t *testing.T) *stalled {
	t.Helper()
	s := &stalled{
		calls: make(chan struct{}, 100), gone: make(chan struct{}, 100), let: make(chan struct{}),
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body) // only then is it seen that the caller has gone
		s.calls <- struct{}{}
		select {
		case <-s.let:
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"id": "ch_1"}`))
		case <-r.Context().Done():
			s.gone <- struct{}{}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// startStopped starts a worker with two slots on ten orders, and returns when both
// are taken by charges that stand still.
func startStopped(t *testing.T) (w *child, gateway *stalled, db *pgxpool.Pool) {
	t.Helper()
	db, gateway = pgtest.New(t), newStalled(t)
	servers, dir := startSandbox(t, sandbox.Options{})
	file := orders.Header + "\n"
	for n := range 10 {
		file += fmt.Sprintf("S-%d,Ann,ann@example.com,1,EUR,tok_ok,2026-11-02\n", n)
	}
	got := workerReading(t, file, "load", "--database-url", pgtest.URL(db), "--orders-file", "-")
	require.Zero(t, got.code, got.stderr)
	flags := runFlags(pgtest.URL(db), servers, dir)
	w = spawn(t, nil, append(flags, "--gateway-url", gateway.URL, "--queues", "default:2",
		"--health-addr", "127.0.0.1:0", "--shutdown-timeout", "10m")...)
	receive(t, gateway.calls)
	receive(t, gateway.calls)
	return w, gateway, db
}

// receive returns what comes over c.
func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
	}
	return v
}

// awaitDraining returns when the worker has taken in that it is to stop.
func (c *child) awaitDraining() {
	c.t.Helper()
	c.await(c.stderr, "worker stops")
}

const queuedUntried = `SELECT count(*) FROM jobs
	WHERE kind = 'process_order' AND state = 'queued' AND attempt = 0 AND lost_count = 0`

func TestFirstSignalDrains(t *testing.T) {
	t.Parallel()
	w, gateway, db := startStopped(t)
	addr := w.healthAddr()
	w.signal(syscall.SIGTERM)
	w.awaitDraining()
	code, _ := get(t, "http://"+addr+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	code, _ = get(t, "http://"+addr+"/livez")
	require.Equal(t, http.StatusOK, code)

	close(gateway.let)
	require.Zero(t, w.outcome().code)
	require.Equal(t, 2, value[int](t, db, `SELECT count(*) FROM orders WHERE status = 'processed'`))
	require.Equal(t, 8, value[int](t, db, queuedUntried))
	require.Equal(t, 2, value[int](t, db,
		`SELECT count(*) FROM jobs WHERE kind = 'notify_customer' AND state = 'queued'`))
}

func TestSecondSignalEndsHandlers(t *testing.T) {
	t.Parallel()
	w, gateway, db := startStopped(t)
	w.signal(syscall.SIGTERM)
	w.awaitDraining()
	require.Empty(t, gateway.gone)
	w.signal(syscall.SIGTERM)
	receive(t, gateway.gone)
	receive(t, gateway.gone)
	require.Zero(t, w.outcome().code)
	require.Equal(t, 10, value[int](t, db, queuedUntried))
}

func TestThirdSignalEndsTheProcess(t *testing.T) {
	t.Parallel()
	w, gateway, db := startStopped(t)
	// Nothing can be written about these jobs, so that a stop in order takes a while.
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), `SELECT FROM jobs WHERE state = 'running' FOR UPDATE`)
	require.NoError(t, err)

	w.signal(os.Interrupt)
	w.awaitDraining()
	w.signal(os.Interrupt)
	receive(t, gateway.gone)
	w.signal(os.Interrupt)
	got := w.outcome()
	require.Equal(t, cli.CodeInterrupted, got.code, got.stderr)
	require.Contains(t, got.stderr, "worker: interrupted\n")
	require.Equal(t, 2, value[int](t, db, `SELECT count(*) FROM jobs WHERE state = 'running'`),
		"for another worker to find")
}
