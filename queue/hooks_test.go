package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// Conformance 74.
func TestMiddlewareWrapsAttemptsInItsOrder(t *testing.T) {
	b := setup(t)
	calls := make(chan string, 10)
	named := func(name string) queue.Middleware {
		return func(ctx context.Context, _ *queue.JobRow, next func(context.Context) error) error {
			calls <- name + " before"
			err := next(context.WithValue(ctx, nameKey{}, name))
			calls <- name + " after"
			return err
		}
	}
	b.w.Middleware = []queue.Middleware{named("first"), named("second")}
	queue.HandleFunc(b.w, func(ctx context.Context, _ *queue.Job[Note]) error {
		calls <- fmt.Sprint("handler in ", ctx.Value(nameKey{}))
		return nil
	})
	b.until(b.runOne(Note{}), queue.StateCompleted)
	for _, want := range []string{
		"first before", "second before", "handler in second", "second after", "first after",
	} {
		require.Equal(t, want, receive(t, calls))
	}
}

// nameKey is the key of the value that a middleware sets.
type nameKey struct{}

// Conformance 65, 66.
func TestWhatMiddlewareReturnsCounts(t *testing.T) {
	refuse := errors.New("not now")
	tests := map[string]struct {
		middleware queue.Middleware
		ran        bool
		state      queue.State
	}{
		"an error before next": {
			func(context.Context, *queue.JobRow, func(context.Context) error) error { return refuse },
			false, queue.StateQueued,
		},
		"an error after next": {
			func(ctx context.Context, _ *queue.JobRow, next func(context.Context) error) error {
				return errors.Join(next(ctx), refuse)
			},
			true, queue.StateQueued,
		},
		"a panic after next": {
			func(ctx context.Context, _ *queue.JobRow, next func(context.Context) error) error {
				_ = next(ctx)
				panic(refuse)
			},
			true, queue.StateQueued,
		},
		"nil without next": {
			func(context.Context, *queue.JobRow, func(context.Context) error) error { return nil },
			false, queue.StateCompleted,
		},
		"a panic": {
			func(context.Context, *queue.JobRow, func(context.Context) error) error { panic(refuse) },
			false, queue.StateQueued,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.w.Middleware = []queue.Middleware{test.middleware}
			ran := make(chan struct{}, 1)
			b.failWith(func(*queue.Job[Note]) error { ran <- struct{}{}; return nil })
			id := b.runOne(Note{})
			if test.state == queue.StateQueued {
				require.ErrorIs(t, b.hears("not now"), refuse)
			}
			b.until(id, test.state)
			require.Len(t, ran, map[bool]int{true: 1}[test.ran])
		})
	}
}

// Conformance 67.
func TestMiddlewareThatChangesArgsChangesNothingStored(t *testing.T) {
	b := setup(t)
	b.w.Middleware = []queue.Middleware{
		func(ctx context.Context, job *queue.JobRow, next func(context.Context) error) error {
			job.Args = json.RawMessage(`{"text":"changed"}`)
			job.ID, job.Attempt = 0, 1000
			return next(ctx)
		},
	}
	said := make(chan string, 1)
	b.failWith(func(job *queue.Job[Note]) error { said <- job.Args.Text; return errors.New("again") })
	id := b.runOne(Note{Text: "stored"})
	require.Equal(t, "changed", receive(t, said))
	job := b.untilJob(id, func(j *queue.JobRow) bool { return j.Attempt == 1 && j.State == queue.StateQueued })
	require.JSONEq(t, `{"text":"stored"}`, string(job.Args))
}

// A transaction begins and ends inside next.
func TestMiddlewareSurroundsTheTransactionOfATxHandler(t *testing.T) {
	b := setupEffects(t)
	counts := make(chan int, 2)
	b.w.Middleware = []queue.Middleware{
		func(ctx context.Context, _ *queue.JobRow, next func(context.Context) error) error {
			counts <- b.effects()
			err := next(ctx)
			counts <- b.effects()
			return err
		},
	}
	queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
		_, err := tx.Exec(ctx, effect, job.ID)
		return err
	}))
	id := b.runOne(Note{})
	require.Zero(t, receive(t, counts))
	require.Equal(t, 1, receive(t, counts), "it has committed")
	b.until(id, queue.StateCompleted)
	require.Empty(t, b.heard)
}

// Conformance 46.
func TestBeforeInsertMayChangeAJob(t *testing.T) {
	b := setup(t)
	b.q.BeforeInsert = func(_ context.Context, job *queue.With) error {
		require.Equal(t, "default", job.Queue, "defaults are filled in")
		require.Equal(t, 26, job.MaxAttempts)
		job.Queue, job.Args = "other", Note{Text: "changed"}
		return nil
	}
	made, err := b.q.InsertBatch(t.Context(), b.db, queue.Each([]Note{{}, {}}))
	require.NoError(t, err)
	ids := []int64{b.insert(Note{}), made[0].ID, made[1].ID}
	for _, id := range ids {
		job, err := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, err)
		require.Equal(t, "other", job.Queue)
		require.JSONEq(t, `{"text":"changed"}`, string(job.Args))
	}
}

// Conformance 45.
func TestBeforeInsertMayLeaveJobsOut(t *testing.T) {
	b := setup(t)
	b.q.BeforeInsert = func(_ context.Context, job *queue.With) error {
		if job.Args.(Note).Text == "skip" {
			return fmt.Errorf("no: %w", queue.ErrSkip)
		}
		return nil
	}
	one, err := b.q.Insert(t.Context(), b.db, Note{Text: "skip"})
	require.NoError(t, err)
	require.Equal(t, queue.Insertion{Outcome: queue.Skipped}, one)

	made, err := b.q.InsertBatch(t.Context(), b.db,
		queue.Each([]Note{{Text: "skip"}, {Text: "a"}, {Text: "skip"}, {Text: "b"}}))
	require.NoError(t, err)
	require.Equal(t, []queue.Insertion{
		{Outcome: queue.Skipped},
		{ID: 1, Outcome: queue.Inserted},
		{Outcome: queue.Skipped},
		{ID: 2, Outcome: queue.Inserted},
	}, made)
	all, err := b.q.InsertBatch(t.Context(), b.db, queue.Each([]Note{{Text: "skip"}}))
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM jobs`))
}

func TestBeforeInsertThatRefusesStoresNothing(t *testing.T) {
	tests := map[string]struct {
		hook func(job *queue.With) error
		want string
	}{
		"an error":      {func(*queue.With) error { return errors.New("not you") }, "insert note: not you"},
		"a panic":       {func(*queue.With) error { panic("ouch") }, "insert note: BeforeInsert: panic: ouch"},
		"another kind":  {func(job *queue.With) error { job.Args = number{}; return nil }, "Kind must stay note"},
		"nil args":      {func(job *queue.With) error { job.Args = nil; return nil }, "Args must not be nil"},
		"a wrong queue": {func(job *queue.With) error { job.Queue = " "; return nil }, "Queue must be letters"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.q.BeforeInsert = func(_ context.Context, job *queue.With) error { return test.hook(job) }
			tx, err := b.db.Begin(t.Context())
			require.NoError(t, err)
			_, err = b.q.Insert(t.Context(), tx, Note{})
			require.ErrorContains(t, err, test.want)
			_, err = b.q.InsertBatch(t.Context(), tx, queue.Each([]Note{{}}))
			require.ErrorContains(t, err, test.want)
			require.NoError(t, tx.Commit(t.Context()), "the transaction lives on")
			require.Zero(t, value[int](b, `SELECT count(*) FROM jobs`))
		})
	}
}

// The job is completed, and somebody should know what went wrong after that.
func TestTroubleAfterTheCommitIsToldWithTheJobCompleted(t *testing.T) {
	for name, after := range map[string]func() error{
		"an error": func() error { return errors.New("ouch") },
		"a panic":  func() error { panic("ouch") },
	} {
		t.Run(name, func(t *testing.T) {
			b := setupEffects(t)
			b.w.Middleware = []queue.Middleware{
				func(ctx context.Context, _ *queue.JobRow, next func(context.Context) error) error {
					if err := next(ctx); err != nil {
						return err
					}
					return after()
				},
			}
			queue.HandleTx(b.w, txFunc(func(context.Context, pgx.Tx, *queue.Job[Note]) error { return nil }))
			id := b.runOne(Note{})
			failed := &queue.JobError{}
			require.ErrorAs(t, receive(t, b.heard), &failed)
			require.Equal(t, id, failed.Job.ID)
			require.Equal(t, queue.StateCompleted, failed.Job.State)
			require.ErrorContains(t, failed, "ouch")
			require.Equal(t, queue.StateCompleted, b.until(id, queue.StateCompleted).State)
		})
	}
}
