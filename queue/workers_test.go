package queue_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// workers returns what Workers does.
func (b *bench) workers() []queue.WorkerRow {
	b.t.Helper()
	workers, err := b.q.Workers(b.t.Context(), b.db)
	require.NoError(b.t, err)
	return workers
}

func TestWorkersAreThoseThatLive(t *testing.T) {
	b := setup(t)
	require.Empty(t, b.workers())
	before := value[time.Time](b, `SELECT clock_timestamp()`)
	b.w.Queues = []queue.Queue{{Name: "mails", Slots: 3}, {Name: "exports", Slots: 2}}
	gate := make(chan struct{})
	defer close(gate)
	b.failWith(func(*queue.Job[Note]) error { <-gate; return nil })
	id := b.insert(queue.With{Args: Note{}, Queue: "mails"})
	b.run()
	b.until(id, queue.StateRunning)

	var w queue.WorkerRow
	require.Eventually(t, func() bool {
		all := b.workers()
		require.Len(t, all, 1)
		w = all[0]
		return w.Running == 1 // as of the next heartbeat
	}, patience, 5*time.Millisecond)
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%s:%d", host, os.Getpid()), w.Name)
	require.ElementsMatch(t, []string{"mails", "exports"}, w.Queues)
	require.Equal(t, 5, w.Slots)
	require.False(t, w.StartedAt.Before(before))
	require.GreaterOrEqual(t, w.Silent, time.Duration(0))

	job, err := b.q.Get(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Equal(t, w.Name, job.Worker)
}
