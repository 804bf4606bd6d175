package queue_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := runChild(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if reason := pgtest.Absent(); reason != nil {
		skipExamples(reason)
	}
	goleak.VerifyTestMain(manual{m})
}

// Note is the job of most tests: a handler is told what it says.
type Note struct {
	Text string `json:"text"`
}

func (Note) Kind() string { return "note" }

// A bench is a database and a worker to run on it.
type bench struct {
	t    *testing.T
	db   *pgxpool.Pool
	q    queue.Client
	w    *queue.Worker
	stop context.CancelFunc

	mu     sync.Mutex
	errs   []error
	heard  chan error // each error that OnError was told of
	result chan error
}

// setup returns a migrated database and a worker that does not run yet.
func setup(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	b := &bench{t: t, db: pgtest.New(t), heard: make(chan error, 10_000)}
	b.w = b.worker()
	return b
}

// worker returns another worker on b's database.
func (b *bench) worker() *queue.Worker {
	return &queue.Worker{
		DB:     b.db,
		Queues: []queue.Queue{{Name: "default", Slots: 10}},
		Logger: slog.New(slog.DiscardHandler),
		OnError: func(_ context.Context, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.errs = append(b.errs, err)
			b.heard <- err
		},
	}
}

// run runs b.w until the test ends or stopped is called.
func (b *bench) run() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	b.stop, b.result = cancel, make(chan error, 1)
	go func() { b.result <- b.w.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		b.w.StopNow()
		select {
		case <-b.result:
		case <-time.After(30 * time.Second):
			b.t.Error("Run did not return")
		}
	})
}

// stopped ends Run and returns what it returned.
func (b *bench) stopped() error {
	b.t.Helper()
	b.stop()
	err := receive(b.t, b.result)
	b.result <- err // for the cleanup
	return err
}

// insert stores one job and returns its ID.
func (b *bench) insert(args queue.Args) int64 {
	b.t.Helper()
	made, err := b.q.Insert(b.t.Context(), b.db, args)
	require.NoError(b.t, err)
	return made.ID
}

// until waits for a job to be in a state, and returns it.
func (b *bench) until(id int64, state queue.State) *queue.JobRow {
	b.t.Helper()
	return b.untilJob(id, func(job *queue.JobRow) bool { return job.State == state })
}

// untilJob waits for ok to be true of a job, and returns it.
func (b *bench) untilJob(id int64, ok func(*queue.JobRow) bool) (job *queue.JobRow) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		var err error
		job, err = b.q.Get(b.t.Context(), b.db, id)
		require.NoError(b.t, err)
		return ok(job)
	}, patience, 5*time.Millisecond)
	return job
}

// exec runs SQL that must succeed.
func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.db.Exec(b.t.Context(), sql, args...)
	require.NoError(b.t, err)
}

// value returns the one value of a query.
func value[T any](b *bench, sql string, args ...any) (v T) {
	b.t.Helper()
	require.NoError(b.t, b.db.QueryRow(b.t.Context(), sql, args...).Scan(&v))
	return v
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

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
