package queue_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// ended waits until a job's run is over, and returns the job.
func (b *bench) ended(id int64) *queue.JobRow {
	b.t.Helper()
	return b.untilJob(id, func(j *queue.JobRow) bool {
		return !j.ClaimedAt.IsZero() && j.State != queue.StateRunning
	})
}

func TestBackoffThatExitsIsAskedNoMore(t *testing.T) {
	b := setup(t)
	queue.Handle(b.w, patient{func(int, error, *queue.JobRow) time.Duration {
		runtime.Goexit()
		return 0
	}})
	job := b.ended(b.runOne(Note{}))
	require.Equal(t, queue.StateQueued, job.State)
	require.Equal(t, 1, job.Attempt)
	wait := b.waited(job.ID)
	require.GreaterOrEqual(t, wait, 15*time.Second, "the default")
	require.Less(t, wait, 25*time.Second)

	last := b.ended(b.insert(queue.With{Args: Note{}, MaxAttempts: 1}))
	require.Equal(t, queue.StateDead, last.State)
}

// An exiting error is one whose method of a name calls runtime.Goexit.
type exiting struct{ method string }

func (e *exiting) Error() string {
	if e.method == "Error" {
		runtime.Goexit()
	}
	return "exits"
}

func (e *exiting) Is(error) bool {
	if e.method == "Is" {
		runtime.Goexit()
	}
	return false
}

func (e *exiting) Unwrap() error {
	if e.method == "Unwrap" {
		runtime.Goexit()
	}
	return nil
}

func TestErrorWhoseMethodExitsIsAFailureAndHoldsUpNothing(t *testing.T) {
	for _, method := range []string{"Is", "Unwrap", "Error"} {
		t.Run(method, func(t *testing.T) {
			b := setup(t)
			b.failWith(func(job *queue.Job[Note]) error {
				if job.Args.Text == "good" {
					return nil
				}
				return &exiting{method}
			})
			job := b.ended(b.runOne(Note{}))
			require.Equal(t, queue.StateQueued, job.State)
			failures, err := b.q.Failures(t.Context(), b.db, job.ID)
			require.NoError(t, err)
			require.Len(t, failures, 1)
			require.Contains(t, failures[0].Error, "runtime.Goexit")
			b.until(b.insert(Note{Text: "good"}), queue.StateCompleted)
		})
	}
}
