package queue_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// failures returns what OnError was told of attempts, by job. Call it when the
// worker has stopped: then nothing is on its way.
func (b *bench) failures() map[int64][]*queue.JobError {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	byJob := map[int64][]*queue.JobError{}
	for _, err := range b.errs {
		failed := &queue.JobError{}
		require.ErrorAs(b.t, err, &failed)
		byJob[failed.Job.ID] = append(byJob[failed.Job.ID], failed)
	}
	return byJob
}

// Conformance 27.
func TestJobThatSucceedsIsNeverToldDead(t *testing.T) {
	b := setup(t)
	b.failWith(func(job *queue.Job[Note]) error {
		if job.Args.Text == "last" && job.Attempt < job.MaxAttempts {
			return errors.New("not yet")
		}
		return nil
	})
	first := b.insert(queue.With{Args: Note{Text: "first"}, MaxAttempts: 3})
	last := b.insert(queue.With{Args: Note{Text: "last"}, MaxAttempts: 3})
	b.run()
	b.until(first, queue.StateCompleted)
	for n := 1; n < 3; n++ {
		b.untilJob(last, func(j *queue.JobRow) bool { return j.State == queue.StateQueued && j.Attempt == n })
		b.dueNow(last)
	}
	require.Equal(t, 3, b.until(last, queue.StateCompleted).Attempt)
	require.NoError(t, b.stopped())
	told := b.failures()
	require.Empty(t, told[first])
	require.Len(t, told[last], 2)
	for _, failed := range told[last] {
		require.Equal(t, queue.StateQueued, failed.Job.State)
	}
}

// Conformance 29, 30, 31, 129: OnError is the hook of a death, and the row stays.
func TestDeathIsToldOnceWithTheJobAndItsError(t *testing.T) {
	ours := errors.New("no luck")
	const undecodable = `UPDATE jobs SET args = '[]' WHERE id = $1`
	const lostTwice = `UPDATE jobs SET state = 'running', token = 7, worker = 12345, attempt = 1,
		lost_count = 2, claimed_at = now() - interval '1 minute' WHERE id = $1`
	tests := map[string]struct {
		maxAttempts int
		prepare     string
		handle      func() error
		want        string
	}{
		"out of attempts": {1, "", func() error { return ours }, "no luck"},
		"NoRetry":         {5, "", func() error { return queue.NoRetry(ours) }, "no luck"},
		"a panic":         {1, "", func() error { panic(ours) }, "panic: no luck"},
		"odd args":        {5, undecodable, func() error { return nil }, "do not decode into queue_test.Note"},
		"lost":            {5, lostTwice, func() error { return nil }, "killed its worker 3 times"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.failWith(func(*queue.Job[Note]) error { return test.handle() })
			states := make(chan queue.State, 10)
			onError := b.w.OnError
			b.w.OnError = func(ctx context.Context, err error) {
				failed := &queue.JobError{}
				if errors.As(err, &failed) {
					row, err := b.q.Get(ctx, b.db, failed.Job.ID)
					if err == nil {
						states <- row.State
					}
				}
				onError(ctx, err)
			}
			id := b.insert(queue.With{Args: Note{}, MaxAttempts: test.maxAttempts})
			if test.prepare != "" {
				b.exec(test.prepare, id)
			}
			b.run()
			job := b.until(id, queue.StateDead)
			require.NoError(t, b.stopped())
			require.Equal(t, queue.StateDead, receive(t, states), "it is on record by then")

			told := b.failures()[id]
			require.Len(t, told, 1)
			require.ErrorContains(t, told[0].Err, test.want)
			if name == "NoRetry" || name == "a panic" {
				require.ErrorIs(t, told[0], ours)
			}
			require.Equal(t, queue.StateDead, told[0].Job.State)
			require.Equal(t, 1, told[0].Job.Attempt)
			require.True(t, job.FinishedAt.Equal(told[0].Job.FinishedAt))
			require.JSONEq(t, string(job.Args), string(told[0].Job.Args))
			require.Equal(t, 1, value[int](b, `SELECT count(*) FROM dead_jobs`))
		})
	}
}

// Conformance 34, 150.
func TestNoNumberOfDeadJobsIsTooMany(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return queue.NoRetry(errors.New("no")) })
	b.bury("default", 10_001)
	before := value[string](b, `SELECT md5(string_agg(d::text, '' ORDER BY id)) FROM dead_jobs d`)
	id := b.runOne(Note{})
	b.until(id, queue.StateDead)
	require.NoError(t, b.stopped())
	require.Equal(t, before, value[string](b, `
SELECT md5(string_agg(d::text, '' ORDER BY id)) FROM dead_jobs d WHERE id <> $1`, id), "all others stay")
}
