package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// inState returns a job that is in a state, made without a worker.
func (b *bench) inState(state queue.State, args queue.Args) int64 {
	b.t.Helper()
	id := b.insert(args)
	switch state {
	case queue.StateQueued:
	case queue.StateRunning:
		b.hold(id, b.other(0, time.Hour))
	default:
		table := "finished_jobs"
		if state == queue.StateDead {
			table = "dead_jobs"
		}
		b.exec(`
WITH gone AS (DELETE FROM jobs WHERE id = $1 RETURNING *)
INSERT INTO `+table+` (id, run_at, created_at, token, claimed_at, worker, priority, attempt,
       max_attempts, lost_count, kind, queue, args, unique_key, state)
SELECT id, run_at, created_at, 7, now(), 1, priority, 3, max_attempts, lost_count, kind, queue,
       args, unique_key, $2::text::job_state FROM gone`, id, state)
	}
	return id
}

var everyState = []queue.State{
	queue.StateQueued, queue.StateRunning, queue.StateDead,
	queue.StateCompleted, queue.StateCancelled, queue.StateDiscarded,
}

// conflict requires err to be a conflict over a job in a state.
func conflict(t *testing.T, err error, id int64, state queue.State) *queue.ConflictError {
	t.Helper()
	c := &queue.ConflictError{}
	require.ErrorAs(t, err, &c)
	require.Equal(t, id, c.ID)
	require.Equal(t, state, c.State)
	return c
}

// Conformance 107, 155.
func TestRetryBringsAJobBackUnderItsID(t *testing.T) {
	b := setup(t)
	for _, state := range everyState {
		id := b.inState(state, Note{Text: string(state)})
		err := b.q.Retry(t.Context(), b.db, id)
		job, getErr := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, getErr)
		switch state {
		case queue.StateDead, queue.StateCancelled, queue.StateDiscarded:
			require.NoError(t, err, state)
			require.Equal(t, queue.StateQueued, job.State)
			require.Equal(t, 2, job.Attempt, "one is given back")
			require.JSONEq(t, `{"text":"`+string(state)+`"}`, string(job.Args))
			require.Equal(t, 1, value[int](b, `SELECT count(*) FROM all_jobs WHERE id = $1`, id))
		default:
			conflict(t, err, id, state)
			require.Equal(t, state, job.State)
		}
	}
	require.ErrorIs(t, b.q.Retry(t.Context(), b.db, 999), queue.ErrNotFound)
}

// Conformance 107.
func TestRetryMakesAWaitingJobDueNow(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	id := b.insert(queue.With{Args: Note{}, Delay: time.Hour})
	b.exec(`UPDATE jobs SET attempt = 3 WHERE id = $1`, id)
	b.run()
	require.NoError(t, b.q.Retry(t.Context(), b.db, id))
	require.Equal(t, 3, b.until(id, queue.StateCompleted).Attempt)
}

// Conformance 106.
func TestScheduledJobIsFoundAndDeletedRunOrCancelled(t *testing.T) {
	b := setup(t)
	ran := make(chan int64, 10)
	b.failWith(func(job *queue.Job[Note]) error { ran <- job.ID; return nil })
	var ids []int64
	for range 4 {
		ids = append(ids, b.insert(queue.With{Args: Note{}, Delay: time.Hour}))
	}
	b.run()
	for _, id := range ids {
		job, err := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, err)
		require.Equal(t, queue.StateQueued, job.State)
		require.Zero(t, job.Attempt)
		require.Greater(t, job.RunAt.Sub(job.CreatedAt), 59*time.Minute)
	}
	require.NoError(t, b.q.Delete(t.Context(), b.db, ids[0]))
	left, err := b.q.Cancel(t.Context(), b.db, ids[1])
	require.NoError(t, err)
	require.Equal(t, queue.StateCancelled, left)
	require.NoError(t, b.q.Retry(t.Context(), b.db, ids[2]))

	require.Equal(t, 1, b.until(ids[2], queue.StateCompleted).Attempt)
	_, err = b.q.Get(t.Context(), b.db, ids[0])
	require.ErrorIs(t, err, queue.ErrNotFound)
	b.until(ids[1], queue.StateCancelled)
	require.Equal(t, ids[3:], value[[]int64](b, `SELECT array_agg(id) FROM jobs`), "it waits on")
	require.Equal(t, ids[2], receive(t, ran))
	require.Empty(t, ran)
}

func TestRetriedDeadJobRunsAtLeastOnceMore(t *testing.T) {
	b := setup(t)
	b.failWith(func(job *queue.Job[Note]) error {
		if value[int](b, `SELECT count(*) FROM job_failures`) == 0 {
			return queue.NoRetry(errors.New("no"))
		}
		return nil
	})
	id := b.runOne(queue.With{Args: Note{}, MaxAttempts: 1})
	b.until(id, queue.StateDead)
	require.NoError(t, b.q.Retry(t.Context(), b.db, id))
	require.Equal(t, 1, b.until(id, queue.StateCompleted).Attempt)
	failures, err := b.q.Failures(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Len(t, failures, 1, "the record stays")
}

func TestRetryNamesTheHolderOfTheUniqueKey(t *testing.T) {
	b := setup(t)
	dead := b.inState(queue.StateDead, queue.With{Args: Note{}, Unique: "k"})
	holder := b.insert(queue.With{Args: Note{}, Unique: "k"})
	tx, err := b.db.Begin(t.Context())
	require.NoError(t, err)
	c := conflict(t, b.q.Retry(t.Context(), tx, dead), dead, queue.StateDead)
	require.Equal(t, holder, c.Holder)
	require.ErrorContains(t, c, "holds its unique key")
	require.NoError(t, tx.Commit(t.Context()), "the transaction lives on")
	job, err := b.q.Get(t.Context(), b.db, dead)
	require.NoError(t, err)
	require.Equal(t, queue.StateDead, job.State)

	require.NoError(t, b.q.Delete(t.Context(), b.db, holder))
	require.NoError(t, b.q.Retry(t.Context(), b.db, dead))
}

// Conformance 157.
func TestDeleteRemovesAJobUnlessItRuns(t *testing.T) {
	b := setup(t)
	for _, state := range everyState {
		id := b.inState(state, queue.With{Args: Note{}, Unique: string(state)})
		b.exec(`INSERT INTO job_failures (job_id, worker, attempt, error) VALUES ($1, 1, 1, 'x')`, id)
		err := b.q.Delete(t.Context(), b.db, id)
		_, getErr := b.q.Get(t.Context(), b.db, id)
		failures := value[int](b, `SELECT count(*) FROM job_failures WHERE job_id = $1`, id)
		if state == queue.StateRunning {
			conflict(t, err, id, state)
			require.NoError(t, getErr)
			require.Equal(t, 1, failures)
			continue
		}
		require.NoError(t, err)
		require.ErrorIs(t, getErr, queue.ErrNotFound)
		require.Zero(t, failures)
		again, err := b.q.Insert(t.Context(), b.db, queue.With{Args: Note{}, Unique: string(state)})
		require.NoError(t, err)
		require.Equal(t, queue.Inserted, again.Outcome, "the key is free")
	}
	require.ErrorIs(t, b.q.Delete(t.Context(), b.db, 999), queue.ErrNotFound)
}

// Conformance 117.
func TestOnlyTheChosenJobsChange(t *testing.T) {
	var q queue.Client
	verbs := map[string]func(ctx context.Context, db queue.DB, id int64) error{
		"Retry":  q.Retry,
		"Delete": q.Delete,
		"Cancel": func(ctx context.Context, db queue.DB, id int64) error {
			_, err := q.Cancel(ctx, db, id)
			return err
		},
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			var dead []int64
			for range 4 {
				for _, state := range everyState {
					id := b.inState(state, Note{Text: string(state)})
					b.exec(`INSERT INTO job_failures (job_id, worker, attempt, error) VALUES ($1, 1, 1, 'x')`, id)
					if state == queue.StateDead {
						dead = append(dead, id)
					}
				}
			}
			others := func(chosen []int64) string {
				return value[string](b, `
SELECT jsonb_agg(jsonb_build_array(a, (SELECT count(*) FROM job_failures WHERE job_id = a.id)) ORDER BY id)::text
  FROM all_jobs a WHERE id <> ALL ($1)`, chosen)
			}
			some := []int64{dead[1], dead[2]}
			before, rest := others(some), others(dead)
			for _, id := range some {
				require.NoError(t, verb(t.Context(), b.db, id))
			}
			require.Equal(t, before, others(some))
			require.Equal(t, []int64{dead[3], dead[0]}, b.list(queue.Filter{State: queue.StateDead}, 10))

			for job, err := range b.q.List(t.Context(), b.db, queue.Filter{State: queue.StateDead}) {
				require.NoError(t, err)
				require.NoError(t, verb(t.Context(), b.db, job.ID))
			}
			require.Equal(t, rest, others(dead))
			require.Empty(t, b.list(queue.Filter{State: queue.StateDead}, 10), "all of them")
		})
	}
}

func TestCancelOfAJobThatDoesNotRunIsImmediate(t *testing.T) {
	b := setup(t)
	for _, state := range everyState {
		id := b.inState(state, Note{})
		for range 2 { // cancelling twice is no error
			left, err := b.q.Cancel(t.Context(), b.db, id)
			switch state {
			case queue.StateCompleted, queue.StateDiscarded:
				conflict(t, err, id, state)
			case queue.StateRunning:
				require.NoError(t, err)
				require.Equal(t, queue.StateRunning, left)
			default:
				require.NoError(t, err)
				require.Equal(t, queue.StateCancelled, left)
				b.until(id, queue.StateCancelled)
			}
		}
	}
	_, err := b.q.Cancel(t.Context(), b.db, 999)
	require.ErrorIs(t, err, queue.ErrNotFound)
}

// Conformance 162.
func TestCancelEndsTheContextOfThatHandlerAlone(t *testing.T) {
	b := setup(t)
	g := newGate(true)
	queue.Handle(b.w, g)
	first, second := b.insert(Note{}), b.insert(Note{})
	b.run()
	receive(t, g.started)
	receive(t, g.started)
	left, err := b.q.Cancel(t.Context(), b.db, first)
	require.NoError(t, err)
	require.Equal(t, queue.StateRunning, left)
	require.ErrorIs(t, receive(t, g.causes), queue.ErrCancelled)
	b.until(first, queue.StateCancelled)
	close(g.open)
	b.until(second, queue.StateCompleted)
	require.Empty(t, b.heard, "a cancelled run is no failure")
	require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
}

func TestCancelledJobWhoseHandlerSucceedsIsCompleted(t *testing.T) {
	b := setup(t)
	g := newGate(false)
	queue.Handle(b.w, g)
	id := b.runOne(Note{})
	receive(t, g.started)
	_, err := b.q.Cancel(t.Context(), b.db, id)
	require.NoError(t, err)
	close(g.open)
	b.until(id, queue.StateCompleted)
}

// The handler fails, snoozes or is given back before it hears of the cancel.
func TestCancelledJobNeverRunsAgain(t *testing.T) {
	for name, end := range map[string]error{"error": errors.New("no"), "snooze": queue.Snooze(0)} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.failWith(func(job *queue.Job[Note]) error {
				_, err := b.q.Cancel(context.Background(), b.db, job.ID)
				require.NoError(t, err)
				return end
			})
			id := b.runOne(Note{})
			require.Equal(t, 1, b.until(id, queue.StateCancelled).Attempt)
			require.NoError(t, b.stopped())
			require.Empty(t, b.heard)
		})
	}
	t.Run("process dies", func(t *testing.T) {
		b := setup(t)
		b.failWith(func(*queue.Job[Note]) error { return errors.New("it should not run") })
		id := b.insert(Note{})
		b.exec(`UPDATE jobs SET state = 'running', token = 7, worker = 12345, attempt = 1,
			cancelling = true, claimed_at = now() - interval '1 minute' WHERE id = $1`, id)
		b.run()
		b.until(id, queue.StateCancelled)
		require.Empty(t, b.heard)
	})
	t.Run("worker stops", func(t *testing.T) {
		b := setup(t)
		g := newGate(false)
		defer close(g.open)
		queue.Handle(b.w, g)
		id := b.runOne(Note{})
		receive(t, g.started)
		_, err := b.q.Cancel(t.Context(), b.db, id)
		require.NoError(t, err)
		b.w.StopNow()
		require.NoError(t, receive(t, b.result))
		b.result <- nil
		b.until(id, queue.StateCancelled)
	})
}

// Conformance 146, 147, 171.
func TestPauseAndResume(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	for range 2 {
		require.NoError(t, b.q.Pause(t.Context(), b.db, "default"), "ahead of its first job, and twice")
	}
	id := b.insert(Note{})
	b.w.Queues = append(b.w.Queues, queue.Queue{Name: "other", Slots: 1})
	b.run()
	b.until(b.insert(queue.With{Args: Note{}, Queue: "other"}), queue.StateCompleted)
	job, err := b.q.Get(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Equal(t, queue.StateQueued, job.State)
	for range 2 {
		require.NoError(t, b.q.Resume(t.Context(), b.db, "default"))
	}
	b.until(id, queue.StateCompleted)
	bad := &queue.InvalidError{}
	require.ErrorAs(t, b.q.Pause(t.Context(), b.db, "no queue"), &bad)
	require.ErrorAs(t, b.q.Resume(t.Context(), b.db, ""), &bad)
	require.Equal(t, "Queue", bad.Field)
}

// Conformance 110, 119, 159.
func TestListYieldsMatchingJobsNewestFirst(t *testing.T) {
	b := setup(t)
	var notes []queue.Args
	for range 450 {
		notes = append(notes, Note{})
	}
	_, err := b.q.InsertBatch(t.Context(), b.db, queue.Each(notes))
	require.NoError(t, err)
	dead := b.inState(queue.StateDead, queue.With{Args: number{}, Queue: "other"})
	done := b.inState(queue.StateCompleted, number{})

	list := func(f queue.Filter) (ids []int64) {
		for job, err := range b.q.List(t.Context(), b.db, f) {
			require.NoError(t, err)
			ids = append(ids, job.ID)
		}
		return ids
	}
	all := list(queue.Filter{})
	require.Len(t, all, 452)
	require.IsDecreasing(t, all)
	require.Equal(t, []int64{done, dead}, list(queue.Filter{Kind: "number"}))
	require.Equal(t, []int64{dead}, list(queue.Filter{Queue: "other"}))
	require.Equal(t, []int64{dead}, list(queue.Filter{State: queue.StateDead}))
	require.Len(t, list(queue.Filter{Kind: "note", State: queue.StateQueued, Before: 11}), 10)
	require.Empty(t, list(queue.Filter{Kind: "none"}))

	for _, err := range b.q.List(t.Context(), b.db, queue.Filter{State: "lost"}) {
		require.ErrorContains(t, err, "State must be queued")
	}
	for job, err := range b.q.List(t.Context(), b.db, queue.Filter{State: queue.StateQueued}) {
		require.NoError(t, err) // db is free, and rows may go while they are walked
		require.NoError(t, b.q.Delete(t.Context(), b.db, job.ID))
	}
	require.Zero(t, value[int](b, `SELECT count(*) FROM jobs`))
}
