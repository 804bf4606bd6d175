package queue_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// Conformance 131.
func TestJobRunsAndIsInTheHistory(t *testing.T) {
	b := setup(t)
	said := make(chan string, 1)
	queue.HandleFunc(b.w, func(_ context.Context, job *queue.Job[Note]) error {
		said <- job.Args.Text
		return nil
	})
	id := b.insert(Note{Text: "hello"})
	b.run()

	require.Equal(t, "hello", receive(t, said))
	job := b.until(id, queue.StateCompleted)
	require.Equal(t, 1, job.Attempt)
	require.JSONEq(t, `{"text":"hello"}`, string(job.Args))
	require.NotEmpty(t, job.Worker)
	require.False(t, job.FinishedAt.Before(job.ClaimedAt))
	require.Zero(t, value[int](b, `SELECT count(*) FROM jobs`))
	require.NoError(t, b.stopped())
}
