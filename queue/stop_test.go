package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// A gate is a handler that tells when it has started and waits to be let go, or
// for its context to end if it heeds that.
type gate struct {
	started chan int64
	open    chan struct{}
	heeds   bool
	causes  chan error
}

func newGate(heeds bool) *gate {
	return &gate{make(chan int64, 100), make(chan struct{}), heeds, make(chan error, 100)}
}

func (g *gate) Handle(ctx context.Context, job *queue.Job[Note]) error {
	g.started <- job.ID
	done := ctx.Done()
	if !g.heeds {
		done = nil
	}
	select {
	case <-g.open:
		return nil
	case <-done:
		g.causes <- context.Cause(ctx)
		return fmt.Errorf("two %w", fmt.Errorf("levels down: %w", ctx.Err()))
	}
}

func TestStopWaitsForRunningHandlersAndClaimsNoMore(t *testing.T) {
	b := setup(t)
	g := newGate(true)
	queue.Handle(b.w, g)
	first := b.insert(Note{})
	b.run()
	require.Equal(t, first, receive(t, g.started))
	b.stop()
	require.Eventually(t, func() bool { // the stop is under way
		_, ready := b.w.Health()
		return ready != nil
	}, patience, time.Millisecond)
	second := b.insert(Note{})
	close(g.open)
	require.NoError(t, b.stopped())

	b.until(first, queue.StateCompleted)
	job, err := b.q.Get(t.Context(), b.db, second)
	require.NoError(t, err)
	require.Equal(t, queue.StateQueued, job.State)
	require.Zero(t, job.Attempt)
	require.Equal(t, "stopped", value[string](b, `SELECT state FROM workers`))
}

// Conformance 17, 18.
func TestHandlersThatTheStopEndsGiveTheirJobsBack(t *testing.T) {
	stops := map[string]func(b *bench){
		"time-out": func(b *bench) { b.stop() },
		"StopNow":  func(b *bench) { b.w.StopNow() },
		"both":     func(b *bench) { b.stop(); b.w.StopNow(); b.w.StopNow() },
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			if name == "time-out" {
				b.w.StopTimeout = time.Millisecond
			}
			g := newGate(true)
			queue.Handle(b.w, g)
			id := b.insert(queue.With{Args: Note{}, MaxAttempts: 1})
			before, err := b.q.Get(t.Context(), b.db, id)
			require.NoError(t, err)
			b.run()
			receive(t, g.started)
			stop(b)
			require.ErrorIs(t, receive(t, g.causes), queue.ErrStopping)
			require.NoError(t, b.stopped())

			job, err := b.q.Get(t.Context(), b.db, id)
			require.NoError(t, err)
			require.Equal(t, queue.StateQueued, job.State)
			require.Zero(t, job.Attempt)
			require.True(t, job.RunAt.Equal(before.RunAt))
			require.Empty(t, b.heard, "no failure")
			require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
		})
	}
}

// Conformance 70, 71.
func TestHandlerThatOutlastsTheStopLosesItsJob(t *testing.T) {
	b := setup(t)
	g := newGate(false)
	defer close(g.open)
	queue.Handle(b.w, g)
	id := b.insert(queue.With{Args: Note{}, MaxAttempts: 1})
	b.run()
	receive(t, g.started)
	b.w.StopNow()
	require.NoError(t, receive(t, b.result))
	b.result <- nil

	job, err := b.q.Get(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Equal(t, queue.StateQueued, job.State)
	require.Zero(t, job.Attempt)
	require.Empty(t, b.heard)
}

// Conformance 61.
func TestJobsGivenBackTogetherReturnEachToItsQueue(t *testing.T) {
	b := setup(t)
	b.w.Queues = []queue.Queue{{Name: "one", Slots: 1}, {Name: "two", Slots: 1}, {Name: "three", Slots: 1}}
	g := newGate(false)
	defer close(g.open)
	queue.Handle(b.w, g)
	before := map[int64]*queue.JobRow{}
	for _, q := range b.w.Queues {
		id := b.insert(queue.With{Args: Note{Text: q.Name}, Queue: q.Name})
		job, err := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, err)
		before[id] = job
	}
	b.run()
	for range before {
		receive(t, g.started)
	}
	b.w.StopNow()
	require.NoError(t, receive(t, b.result))
	b.result <- nil
	for id, want := range before {
		job, err := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, err)
		require.False(t, job.ClaimedAt.IsZero(), "it ran")
		job.ClaimedAt, job.Worker = time.Time{}, ""
		require.Equal(t, want, job)
	}
}

func TestOtherErrorsDuringAStopAreFailures(t *testing.T) {
	b := setup(t)
	started := make(chan struct{})
	queue.HandleFunc(b.w, func(ctx context.Context, _ *queue.Job[Note]) error {
		close(started)
		<-ctx.Done()
		return errors.New("disk full")
	})
	id := b.insert(Note{})
	b.run()
	receive(t, started)
	b.w.StopNow()
	b.hears("disk full")
	require.Equal(t, 1, b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued }).Attempt)
}

func TestStopIsQuickWhenTheDatabaseIsAway(t *testing.T) {
	b := setup(t)
	proxy := newProxy(t, b)
	b.w.DB = proxy.pool(t)
	g := newGate(true)
	queue.Handle(b.w, g)
	b.insert(Note{})
	b.run()
	receive(t, g.started)
	proxy.blackhole()
	b.w.StopNow()
	err := receive(t, b.result)
	b.result <- err
	require.ErrorContains(t, err, "the end of 1 jobs not on record")
}

// The stop comes while a claim is on its way: what that brings goes back, unharmed.
func TestJobsClaimedAsTheStopComesGoBack(t *testing.T) {
	b := setup(t)
	proxy := newProxy(t, b)
	b.w.DB = proxy.pool(t)
	b.failWith(succeed)
	b.run()
	b.until(b.insert(Note{}), queue.StateCompleted) // all statements are prepared
	var once sync.Once
	proxy.cutOn(func(message []byte, claims bool) cutting {
		if claims && bytes.Contains(message, []byte("note")) { // the kinds that it asks for
			once.Do(func() {
				b.exec(`INSERT INTO jobs (kind, args) VALUES ('note', '{"text": ""}')`)
				b.stop()
				require.Eventually(t, func() bool {
					_, ready := b.w.Health()
					return ready != nil
				}, patience, time.Millisecond)
			})
		}
		return keep
	})
	err := receive(t, b.result)
	b.result <- err
	require.NoError(t, err)
	job, err := b.q.Get(t.Context(), b.db, 2)
	require.NoError(t, err)
	require.Equal(t, queue.StateQueued, job.State)
	require.Zero(t, job.Attempt)
	require.Zero(t, job.Lost)
	require.NotEmpty(t, job.Worker, "it was claimed")
}

func TestStopBeforeRunEndsItAtOnce(t *testing.T) {
	b := setup(t)
	queue.Handle(b.w, newGate(true))
	b.w.StopNow()
	b.run()
	require.NoError(t, receive(t, b.result))
	b.result <- nil
}

func TestHealthFollowsTheWorker(t *testing.T) {
	b := setup(t)
	queue.Handle(b.w, newGate(true))
	live, ready := b.w.Health()
	require.NoError(t, live)
	require.ErrorContains(t, ready, "not claimed yet")
	b.run()
	require.Eventually(t, func() bool { _, ready := b.w.Health(); return ready == nil }, patience, time.Millisecond)
	require.NoError(t, b.stopped())
	live, ready = b.w.Health()
	require.NoError(t, live)
	require.ErrorContains(t, ready, "stopping")
}

// Conformance 59.
func TestQueuesHaveSlotsOfTheirOwn(t *testing.T) {
	b := setup(t)
	b.w.Queues = []queue.Queue{{Name: "slow", Slots: 2}, {Name: "fast", Slots: 1}}
	g := newGate(true)
	queue.Handle(b.w, g)
	fast := make(chan int64, 20)
	queue.HandleFunc(b.w, func(_ context.Context, job *queue.Job[number]) error {
		fast <- job.ID
		return nil
	})
	for range 5 {
		b.insert(queue.With{Args: Note{}, Queue: "slow"})
	}
	b.run()
	receive(t, g.started)
	receive(t, g.started)
	for range 10 { // all slots of slow are taken, and more wait
		b.insert(queue.With{Args: number{}, Queue: "fast"})
	}
	for range 10 {
		receive(t, fast)
	}
	require.Empty(t, g.started, "no third one in two slots")
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM jobs WHERE state = 'running' AND queue = 'slow'`))
	close(g.open)
	for range 3 {
		receive(t, g.started)
	}
}

// Conformance 58: priorities are strict.
func TestPrioritiesAndThenRunAtDecideTheOrder(t *testing.T) {
	b := setup(t)
	b.w.Queues[0].Slots = 1
	order := make(chan string, 10)
	b.failWith(func(job *queue.Job[Note]) error {
		order <- job.Args.Text
		return nil
	})
	past := time.Now().Add(-time.Hour)
	for _, with := range []queue.With{
		{Args: Note{Text: "4"}, Priority: 4},
		{Args: Note{Text: "2b"}},
		{Args: Note{Text: "2c"}},
		{Args: Note{Text: "1"}, Priority: 1},
		{Args: Note{Text: "2a"}},
	} {
		id := b.insert(with)
		if with.Args.(Note).Text == "2a" {
			b.exec(`UPDATE jobs SET run_at = $2 WHERE id = $1`, id, past)
		}
	}
	b.run()
	for _, want := range []string{"1", "2a", "2b", "2c", "4"} {
		require.Equal(t, want, receive(t, order))
	}
}

// Conformance 75, 151.
func TestScheduledJobRunsWhenItIsDueAndNotBefore(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return nil })
	later := b.insert(queue.With{Args: Note{}, Delay: time.Hour})
	soon := b.insert(queue.With{Args: Note{}, Delay: 300 * time.Millisecond})
	b.run()
	job := b.until(soon, queue.StateCompleted)
	require.False(t, job.ClaimedAt.Before(job.RunAt))
	job, err := b.q.Get(t.Context(), b.db, later)
	require.NoError(t, err)
	require.Equal(t, queue.StateQueued, job.State)
	b.dueNow(later)
	b.until(later, queue.StateCompleted)
}

// Conformance 146, 171.
func TestPausedQueueIsNotClaimedFrom(t *testing.T) {
	b := setup(t)
	b.w.Queues = append(b.w.Queues, queue.Queue{Name: "paused", Slots: 5})
	b.exec(`INSERT INTO queues (name, paused_at) VALUES ('paused', now())`)
	b.failWith(func(*queue.Job[Note]) error { return nil })
	held := b.insert(queue.With{Args: Note{}, Queue: "paused"})
	b.run()
	b.until(b.insert(Note{}), queue.StateCompleted)
	job, err := b.q.Get(t.Context(), b.db, held)
	require.NoError(t, err)
	require.Equal(t, queue.StateQueued, job.State)
	b.exec(`UPDATE queues SET paused_at = NULL`)
	b.until(held, queue.StateCompleted)
}
