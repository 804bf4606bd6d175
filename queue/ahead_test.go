package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// claims is how many claims have taken the jobs that are finished.
func (b *bench) claims() int {
	return value[int](b, `SELECT count(DISTINCT token) FROM finished_jobs`)
}

func TestQuickJobsAreClaimedAhead(t *testing.T) {
	b := setup(t)
	const jobs = 5000
	b.batch(b.db, notes(jobs)...)
	b.w.Queues[0].Slots = 2
	b.failWith(succeed)
	b.run()
	require.Eventually(t, func() bool {
		return value[int](b, `SELECT count(*) FROM finished_jobs`) == jobs
	}, patience, 5*time.Millisecond)
	require.Less(t, b.claims(), jobs/10, "two slots, and many jobs with each claim")
}

// nextBeat returns when b's worker has beaten once more, a second or so later.
func (b *bench) nextBeat() {
	b.t.Helper()
	const beatSQL = `SELECT coalesce(max(beat_at), 'epoch') FROM workers WHERE state = 'live'`
	beat := value[time.Time](b, beatSQL)
	require.Eventually(b.t, func() bool {
		return value[time.Time](b, beatSQL).After(beat)
	}, patience, 5*time.Millisecond)
}

func TestOneSlotWorksItsQueueInOrder(t *testing.T) {
	b := setup(t)
	b.w.Queues[0].Slots = 1
	var ran []int64
	b.failWith(func(job *queue.Job[Note]) error {
		ran = append(ran, job.ID)
		return nil
	})
	made := b.batch(b.db, notes(1000)...)
	b.run()
	b.until(made[len(made)-1].ID, queue.StateCompleted)
	require.NoError(t, b.stopped())
	require.Len(t, ran, len(made))
	require.IsIncreasing(t, ran)
}

func TestSlowJobsAreNotClaimedAhead(t *testing.T) {
	b := setup(t)
	b.w.Queues[0].Slots = 2
	started, gate := make(chan int64, 10), make(chan struct{})
	b.failWith(func(job *queue.Job[Note]) error {
		started <- job.ID
		<-gate
		return nil
	})
	made := b.batch(b.db, notes(6)...)
	b.run()
	for range 3 { // each time both slots are taken, and what waits is anyone's
		receive(t, started)
		receive(t, started)
		b.nextBeat()
		require.Equal(t, 2, value[int](b, `SELECT count(*) FROM jobs WHERE state = 'running'`))
		gate <- struct{}{}
		gate <- struct{}{}
	}
	b.until(made[5].ID, queue.StateCompleted)
	require.NoError(t, b.stopped())
}

// stuckAmongQuick has b's worker, with two slots, run many quick jobs and then two that
// stand still until the test ends. It returns all jobs: the two are in the middle.
func stuckAmongQuick(b *bench) []queue.Insertion {
	const quick = 2000
	b.w.Queues[0].Slots = 2
	started, gate := make(chan struct{}, 2), make(chan struct{})
	b.t.Cleanup(func() { close(gate) })
	queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
		if job.Args.Text == "stuck" {
			started <- struct{}{}
			select {
			case <-gate:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	jobs := append(notes(quick), Note{Text: "stuck"}, Note{Text: "stuck"})
	made := b.batch(b.db, append(jobs, notes(quick)...)...)
	b.run()
	receive(b.t, started)
	receive(b.t, started)
	return made
}

func TestJobsThatWaitTooLongForASlotAreLeftToOthers(t *testing.T) {
	b := setup(t)
	stuckAmongQuick(b)
	other := b.worker()
	queue.HandleFunc(other, doNothing)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, receive(t, ended))
	}()
	require.Eventually(t, func() bool {
		return value[int](b, `SELECT count(*) FROM jobs`) == 2
	}, patience, 5*time.Millisecond)
	require.Equal(t, 2, value[int](b, `
SELECT count(*) FROM jobs WHERE state = 'running' AND args @> '{"text": "stuck"}'`))
	require.Zero(t, value[int](b, `
SELECT count(*) FROM finished_jobs WHERE attempt <> 1 OR lost_count <> 0`), "to be held is no attempt")
	require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
}

func TestStopGivesBackWhatWaitsForASlot(t *testing.T) {
	b := setup(t)
	stuckAmongQuick(b)
	b.w.StopNow()
	require.NoError(t, b.stopped())
	require.GreaterOrEqual(t, value[int](b, `SELECT count(*) FROM jobs`), 2)
	require.Zero(t, value[int](b, `
SELECT count(*) FROM jobs WHERE NOT (state = 'queued' AND attempt = 0 AND lost_count = 0)`))
}

// Some of them are held here for a slot when they are called off, and others queued.
func TestJobsThatAreCalledOffWhileTheyWaitForASlotNeverRun(t *testing.T) {
	b := setup(t)
	made := stuckAmongQuick(b)
	last := made[len(made)-500:]
	for _, m := range last {
		_, err := b.q.Cancel(t.Context(), b.db, m.ID)
		require.NoError(t, err)
	}
	for _, m := range last {
		require.Zero(t, b.until(m.ID, queue.StateCancelled).Lost)
	}
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM jobs WHERE args @> '{"text": "stuck"}'`))
}

func TestPausedQueueKeepsNothingBackThatWasClaimedAhead(t *testing.T) {
	b := setup(t)
	stuckAmongQuick(b)
	require.NoError(t, b.q.Pause(t.Context(), b.db, "default"))
	require.Eventually(t, func() bool {
		return value[int](b, `SELECT count(*) FROM jobs WHERE state = 'running'`) == 2
	}, patience, 5*time.Millisecond, "what was held has been given back")
}

// A job whose transaction commits late is behind what was claimed since.
func TestJobThatIsCommittedLateIsFound(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	late := b.begin(pgx.TxOptions{})
	made := b.batch(late, notes(3000)...)
	b.run()
	for { // until claims begin behind the late ones
		job := b.until(b.insert(Note{}), queue.StateCompleted)
		if value[bool](b, `SELECT $1 > max(run_at) + interval '200 ms' FROM finished_jobs
			WHERE id = (SELECT min(id) FROM finished_jobs)`, job.RunAt) {
			break
		}
	}
	require.NoError(t, late.Commit(t.Context()))
	b.until(made[0].ID, queue.StateCompleted)
	b.until(made[len(made)-1].ID, queue.StateCompleted)
	require.Eventually(t, func() bool {
		return value[int](b, `SELECT count(*) FROM jobs`) == 0
	}, patience, 5*time.Millisecond)
}
