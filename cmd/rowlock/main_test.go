package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/queue"
)

// patience is how long a test waits for what must come, and tick how often it looks.
const (
	patience = time.Minute
	tick     = 5 * time.Millisecond
)

// program is the name under which the test binary is the program itself.
const program = "rowlock"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		main()
	}
	goleak.VerifyTestMain(m)
}

// An outcome is what a command left.
type outcome struct {
	code           int
	stdout, stderr string
}

// call runs a command on a database, in this process.
func call(t testing.TB, url string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"--database-url", url}, args...)
	code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// install puts the program into a folder.
func install(dir string) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	return os.Symlink(binary, filepath.Join(dir, program))
}

// execute runs SQL that makes what no command can.
func execute(t testing.TB, db *pgxpool.Pool, sql string) {
	t.Helper()
	conn, err := db.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Conn().PgConn().Exec(t.Context(), sql).ReadAll() // several statements
	require.NoError(t, err)
}

// The kinds of jobs that the tests' worker knows.
type (
	greet  struct{ Name string }
	charge struct{ Card string }
	panics struct{}
	wait   struct{}
)

func (greet) Kind() string  { return "greet" }
func (charge) Kind() string { return "charge" }
func (panics) Kind() string { return "panics" }
func (wait) Kind() string   { return "wait" }

// work starts a worker, and returns when it is there. Stop ends it.
func work(t testing.TB, db *pgxpool.Pool) (stop func()) {
	t.Helper()
	w := &queue.Worker{DB: db, Queues: []queue.Queue{{Name: "default", Slots: 4}}}
	w.Logger = slog.New(slog.DiscardHandler)
	queue.HandleFunc(w, func(context.Context, *queue.Job[greet]) error { return nil })
	queue.HandleFunc(w, func(_ context.Context, job *queue.Job[charge]) error {
		return queue.NoRetry(fmt.Errorf("card %s was declined", job.Args.Card))
	})
	queue.HandleFunc(w, func(context.Context, *queue.Job[panics]) error { panic("oh\nno") })
	queue.HandleFunc(w, func(ctx context.Context, _ *queue.Job[wait]) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = func() {
		cancel()
		require.NoError(t, <-ended)
	}
	eventually(t, func() (bool, error) {
		workers, err := new(queue.Client).Workers(t.Context(), db)
		return len(workers) > 0, err
	})
	return stop
}

// await returns once a job has come to a state.
func await(t testing.TB, db *pgxpool.Pool, id int64, state queue.State) {
	t.Helper()
	eventually(t, func() (bool, error) {
		job, err := new(queue.Client).Get(t.Context(), db, id)
		if err != nil {
			return false, err
		}
		return job.State == state, nil
	})
}

// awaitBlocked returns the process ID of the server's that waits for a lock on behalf
// of the program.
func awaitBlocked(t testing.TB, db *pgxpool.Pool) (pid int32) {
	t.Helper()
	eventually(t, func() (bool, error) {
		err := db.QueryRow(t.Context(), `SELECT coalesce(max(pid), 0) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'rowlock'
			  AND wait_event_type = 'Lock'`).Scan(&pid)
		return pid != 0, err
	})
	return pid
}

// eventually returns once f is true.
func eventually(t testing.TB, f func() (bool, error)) {
	t.Helper()
	var err error
	deadline := time.Now().Add(patience)
	for ticker := time.NewTicker(tick); ; <-ticker.C {
		var ok bool
		if ok, err = f(); ok && err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(errors.Join(errors.New("it never comes"), err))
		}
	}
}

// A brokenPipe is a stdout that nobody reads.
func brokenPipe(t testing.TB) io.Writer {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	t.Cleanup(func() { _ = w.Close() })
	return w
}
