package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// crowd inserts n jobs that all end in one batch, and has prepare called while they
// run. Its handlers end as end says.
func (b *bench) crowd(n int, prepare func(ids []int64), end func(job *queue.Job[Note]) error) []int64 {
	b.t.Helper()
	b.w.Queues[0].Slots = n
	started, open := make(chan struct{}, n), make(chan struct{})
	b.failWith(func(job *queue.Job[Note]) error {
		if job.Attempt == 1 {
			started <- struct{}{}
			<-open
		}
		return end(job)
	})
	var ids []int64
	for range n {
		ids = append(ids, b.insert(Note{}))
	}
	b.run()
	for range n {
		receive(b.t, started)
	}
	prepare(ids)
	close(open)
	return ids
}

func succeed(*queue.Job[Note]) error { return nil }

// An operator has a row locked in an open transaction. Its job waits, no other does.
func TestLockedRowHoldsUpNoOtherFinish(t *testing.T) {
	b := setup(t)
	tx, err := b.db.Begin(t.Context())
	require.NoError(t, err)
	var locked int64
	ids := b.crowd(50, func(ids []int64) {
		locked = ids[20]
		_, err := tx.Exec(t.Context(), `SELECT FROM jobs WHERE id = $1 FOR UPDATE`, locked)
		require.NoError(t, err)
	}, succeed)
	for _, id := range ids {
		if id != locked {
			b.until(id, queue.StateCompleted)
		}
	}
	b.hears("waits to be recorded")
	b.until(b.insert(Note{}), queue.StateCompleted)
	require.NoError(t, tx.Rollback(t.Context()))
	b.until(locked, queue.StateCompleted)
}

// They end in any order, in one batch.
func TestFailuresRecordedTogetherKeepTheirErrors(t *testing.T) {
	b := setup(t)
	const jobs = 100
	ids := b.crowd(jobs, func([]int64) {}, func(job *queue.Job[Note]) error {
		err := fmt.Errorf("error of %d", job.ID)
		switch job.ID % 3 {
		case 0:
			return err
		case 1:
			return queue.NoRetry(err)
		}
		return queue.Discard(err)
	})
	for _, id := range ids {
		b.until(id, map[int64]queue.State{
			0: queue.StateQueued, 1: queue.StateDead, 2: queue.StateDiscarded,
		}[id%3])
	}
	require.Equal(t, jobs, value[int](b, `
SELECT count(*) FROM job_failures WHERE error = 'error of ' || job_id`))
}

// One row that the database refuses is told apart from its neighbours, and is
// recorded once it is accepted.
func TestRefusedRowHoldsUpNoOtherFinish(t *testing.T) {
	b := setup(t)
	var refused int64
	ids := b.crowd(50, func(ids []int64) {
		refused = ids[33]
		b.exec(`ALTER TABLE finished_jobs ADD CONSTRAINT refused CHECK (id <> ` + itoa(refused) + `)`)
	}, succeed)
	for _, id := range ids {
		if id != refused {
			b.until(id, queue.StateCompleted)
		}
	}
	require.ErrorContains(t, b.hears("waits to be recorded"), "refused")
	job, err := b.q.Get(t.Context(), b.db, refused)
	require.NoError(t, err)
	require.Equal(t, queue.StateRunning, job.State)
	b.exec(`ALTER TABLE finished_jobs DROP CONSTRAINT refused`)
	b.until(refused, queue.StateCompleted)
	require.Equal(t, 1, job.Attempt)
}

// The worker's connections are cut again and again. Every job ends once.
func TestNothingIsLostWhileConnectionsAreCut(t *testing.T) {
	b := setupEffects(t)
	var runs atomic.Int64
	queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
		runs.Add(1)
		_, err := b.db.Exec(ctx, effect, job.ID)
		return err
	})
	const jobs = 300
	var notes []Note
	for range jobs {
		notes = append(notes, Note{})
	}
	_, err := b.q.InsertBatch(t.Context(), b.db, queue.Each(notes))
	require.NoError(t, err)
	proxy := newProxy(t, b) // the worker's own connections, not the handlers'
	b.w.DB = proxy.pool(t)
	b.run()
	last := jobs
	require.Eventually(t, func() bool {
		left := value[int](b, `SELECT count(*) FROM jobs`)
		if left <= last-15 {
			last = left
			proxy.drop()
		}
		return left == 0
	}, patience, 5*time.Millisecond)
	require.Equal(t, jobs, value[int](b, `SELECT count(*) FROM finished_jobs`))
	require.Equal(t, jobs, value[int](b, `SELECT count(DISTINCT job) FROM effects`))
	require.NoError(t, b.stopped())
}

// A batch commits and its reply is lost: what it recorded is not recorded twice, and
// what it claimed is found by its token and runs, counted as nothing.
func TestReplyOfACommittedBatchIsLost(t *testing.T) {
	b := setup(t)
	proxy := newProxy(t, b)
	b.w.DB = proxy.pool(t)
	b.w.Queues[0].Slots = 1
	var runs atomic.Int64
	b.failWith(func(job *queue.Job[Note]) error {
		if runs.Add(1) == 1 {
			var cuts atomic.Int64
			proxy.cutOn(func(message []byte, claims bool) cutting {
				// The first message prepares the statement, the second is the batch that
				// completes the first job and claims the second.
				prepares := bytes.Contains(message, []byte("-- queue.complete"))
				if claims && !prepares && cuts.Add(1) == 1 {
					return cutAfter
				}
				return keep
			})
		}
		return nil
	})
	first, second := b.insert(Note{}), b.insert(Note{})
	b.run()
	b.until(first, queue.StateCompleted)
	job := b.until(second, queue.StateCompleted)
	require.Equal(t, 1, job.Attempt)
	require.Zero(t, job.Lost)
	require.EqualValues(t, 2, runs.Load())
	require.NoError(t, b.stopped())
	for len(b.heard) > 0 {
		require.NotErrorIs(t, <-b.heard, queue.ErrLost)
	}
}

// The connection breaks before a batch reaches the server, with every way to end in
// it. All are recorded by the next.
func TestBatchIsLostOnItsWay(t *testing.T) {
	b := setup(t)
	proxy := newProxy(t, b)
	b.w.DB = proxy.pool(t)
	var ends atomic.Int64
	results := []error{
		nil, errors.New("no"), queue.NoRetry(errors.New("no")),
		queue.Discard(errors.New("no")), queue.Snooze(time.Hour),
	}
	want := []queue.State{
		queue.StateCompleted, queue.StateQueued, queue.StateDead, queue.StateDiscarded, queue.StateQueued,
	}
	ids := b.crowd(5, func([]int64) {
		proxy.cutOn(func([]byte, bool) cutting {
			if ends.Add(1) <= 3 {
				return cutBefore
			}
			return keep
		})
	}, func(job *queue.Job[Note]) error { return results[(job.ID-1)%5] })
	for i, id := range ids {
		b.until(id, want[i])
	}
	require.NoError(t, b.stopped())
	require.Equal(t, 3, value[int](b, `SELECT count(*) FROM job_failures`))
}

func TestUnreachableDatabaseIsWaitedForAtTheStart(t *testing.T) {
	b := setup(t)
	proxy := newProxy(t, b)
	b.w.DB = proxy.pool(t)
	b.failWith(succeed)
	proxy.cutOn(func([]byte, bool) cutting { return cutBefore })
	id := b.insert(Note{})
	b.run()
	b.hears("wait for the database")
	_, ready := b.w.Health()
	require.Error(t, ready)
	proxy.cutOn(nil)
	b.until(id, queue.StateCompleted)
}
