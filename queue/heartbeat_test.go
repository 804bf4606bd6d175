package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// Conformance 73.
func TestWorkerShowsWhatItRunsWhileItBeats(t *testing.T) {
	b := setup(t)
	b.w.Queues = []queue.Queue{{Name: "default", Slots: 3}, {Name: "other", Slots: 4}}
	g := newGate(true)
	queue.Handle(b.w, g)
	ids := []int64{b.insert(Note{}), b.insert(queue.With{Args: Note{}, Queue: "other"})}
	b.run()
	receive(t, g.started)
	receive(t, g.started)
	shows := func(running int) {
		require.Eventually(t, func() bool {
			return value[bool](b, `SELECT coalesce(bool_and(running = $1), false) FROM live_workers`, running)
		}, patience, 5*time.Millisecond)
	}
	shows(2)
	require.Equal(t, 7, value[int](b, `SELECT slots FROM live_workers`))
	require.Equal(t, []string{"default", "other"}, value[[]string](b, `SELECT queues FROM live_workers`))
	job, err := b.q.Get(t.Context(), b.db, ids[0])
	require.NoError(t, err)
	require.Equal(t, job.Worker, value[string](b, `SELECT name FROM live_workers`))
	last := value[time.Time](b, `SELECT beat_at FROM workers`)
	require.Eventually(t, func() bool { // beats go on while it works
		return value[time.Time](b, `SELECT beat_at FROM workers`).After(last)
	}, patience, 5*time.Millisecond)

	close(g.open)
	for _, id := range ids {
		b.until(id, queue.StateCompleted)
	}
	shows(0)
	require.NoError(t, b.stopped())
	require.Zero(t, value[int](b, `SELECT count(*) FROM live_workers`))
	require.Equal(t, 1, value[int](b, `SELECT count(*) FROM workers`), "it registered once")
}

// Conformance 73, 113.
func TestWorkerWhoseBeatsHaveEndedIsNotLive(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	silent := b.other(time.Hour, time.Second)
	b.run()
	require.Eventually(t, func() bool {
		return value[bool](b, `SELECT state = 'dead' AND ended_at IS NOT NULL FROM workers WHERE id = $1`, silent)
	}, patience, 10*time.Millisecond)
	require.Zero(t, value[int](b, `SELECT count(*) FROM live_workers WHERE id = $1`, silent))
	require.Eventually(t, func() bool { // the one that found it out
		return value[int](b, `SELECT count(*) FROM live_workers`) == 1
	}, patience, 5*time.Millisecond)
}

// watch starts another worker, which would take b's jobs if it took b's for dead.
func (b *bench) watch() (taken *gate) {
	b.t.Helper()
	other := b.beside("watch")
	taken = newGate(true)
	queue.Handle(other.w, taken)
	other.run()
	require.Eventually(b.t, func() bool {
		_, ready := other.w.Health()
		return ready == nil
	}, patience, 5*time.Millisecond)
	return taken
}

// Conformance 138.
func TestWorkLongerThanTheLeaseKeepsItsClaim(t *testing.T) {
	b := setup(t)
	b.w.Lease = 5 * time.Second
	g := newGate(true)
	queue.Handle(b.w, g)
	id := b.insert(queue.With{Args: Note{}, MaxAttempts: 1})
	b.run()
	receive(t, g.started)
	taken := b.watch()
	token := value[int64](b, `SELECT token FROM jobs WHERE id = $1`, id)
	require.Eventually(t, func() bool {
		return value[bool](b, `
SELECT min(w.beat_at) > max(j.claimed_at + w.lease) + interval '1 s'
  FROM jobs j, workers w WHERE j.id = $1 AND w.lease = '5 s'`, id)
	}, patience, 50*time.Millisecond)
	require.Equal(t, token, value[int64](b, `SELECT token FROM jobs WHERE id = $1 AND state = 'running'`, id))
	require.Empty(t, taken.started)
	close(g.open)
	job := b.until(id, queue.StateCompleted)
	require.Equal(t, 1, job.Attempt)
	require.Zero(t, job.Lost)
	require.NoError(t, b.stopped())
	require.Equal(t, "stopped", value[string](b, `SELECT state FROM workers WHERE lease = '5 s'`), "no more beats")
	require.Empty(t, b.heard)
}

// Conformance 174: it frees the lock, but beats go on.
func TestDroppedConnectionsAreNoLoss(t *testing.T) {
	b := setup(t)
	proxy := newProxy(t, b)
	b.w.DB = proxy.pool(t)
	g := newGate(true)
	queue.Handle(b.w, g)
	id := b.insert(Note{})
	b.run()
	receive(t, g.started)
	taken := b.watch()
	token := value[int64](b, `SELECT token FROM jobs WHERE id = $1`, id)
	dropped := value[time.Time](b, `SELECT clock_timestamp()`)
	proxy.drop()
	require.Eventually(t, func() bool { // the other has looked, too, in the time that a death takes
		return value[bool](b, `SELECT min(beat_at) > $1::timestamptz + interval '3 s' FROM workers`, dropped)
	}, patience, 20*time.Millisecond)
	require.Equal(t, token, value[int64](b, `SELECT token FROM jobs WHERE id = $1 AND state = 'running'`, id))
	require.Empty(t, taken.started)
	close(g.open)
	require.Zero(t, b.until(id, queue.StateCompleted).Lost)
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM live_workers`))
}
