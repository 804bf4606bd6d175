package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// Conformance 130.
func TestGetFindsAJobInEachTable(t *testing.T) {
	b := setup(t)
	end := make(chan error)
	queue.HandleFunc(b.w, func(_ context.Context, job *queue.Job[Note]) error {
		if job.Args.Text == "running" {
			return <-end
		}
		switch job.Args.Text {
		case "dead":
			return queue.NoRetry(errors.New("no"))
		case "discarded":
			return queue.Discard(errors.New("no"))
		}
		return nil
	})
	b.run()
	ids := map[queue.State]int64{}
	for _, state := range []queue.State{
		queue.StateRunning, queue.StateDead, queue.StateDiscarded, queue.StateCompleted,
	} {
		ids[state] = b.insert(queue.With{Args: Note{Text: string(state)}, Unique: string(state)})
	}
	for state, id := range ids {
		job := b.until(id, state)
		require.Equal(t, string(state), job.Unique)
		require.Equal(t, 1, job.Attempt, state)
		require.NotEmpty(t, job.Worker, state)
		require.False(t, job.ClaimedAt.Before(job.CreatedAt), state)
		require.Equal(t, state == queue.StateRunning, job.FinishedAt.IsZero(), state)
		require.JSONEq(t, `{"text": "`+string(state)+`"}`, string(job.Args))
	}
	close(end)
	require.NoError(t, b.stopped())
}

// What never ran says so by zero values.
func TestGetOfAJobThatNeverRan(t *testing.T) {
	b := setup(t)
	queued := b.insert(queue.With{Args: Note{}, Delay: time.Hour})
	cancelled := b.insert(Note{})
	b.exec(`WITH gone AS (DELETE FROM jobs WHERE id = $1 RETURNING *)
		INSERT INTO finished_jobs (`+queue.Carried+`, state)
		SELECT `+queue.Carried+`, 'cancelled' FROM gone`, cancelled)
	for id, state := range map[int64]queue.State{
		queued: queue.StateQueued, cancelled: queue.StateCancelled,
	} {
		job, err := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, err)
		require.Equal(t, state, job.State)
		require.Zero(t, job.Attempt)
		require.Zero(t, job.ClaimedAt)
		require.Empty(t, job.Worker)
		require.Equal(t, state == queue.StateQueued, job.FinishedAt.IsZero())
	}
}

func TestAJobThatIsNotThereIsNotFound(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	for _, id := range []int64{-1, 0, 1, 1<<63 - 1} {
		_, err := b.q.Get(t.Context(), tx, id)
		require.ErrorIs(t, err, queue.ErrNotFound)
		_, err = b.q.Failures(t.Context(), tx, id)
		require.ErrorIs(t, err, queue.ErrNotFound)
	}
	_, err := b.q.Get(t.Context(), tx, 12345)
	require.ErrorContains(t, err, "job 12345")
	require.NoError(t, tx.Commit(t.Context()), "the transaction lives on")
}

func TestFailuresComeOldestFirst(t *testing.T) {
	b := setup(t)
	id := b.insert(Note{})
	other := b.insert(Note{})
	failures, err := b.q.Failures(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Empty(t, failures)

	at := func(second int) time.Time {
		return time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC)
	}
	worker := value[int64](b, `INSERT INTO workers (name, queues, slots, lease)
		VALUES ('host:1', '{}', 1, '20 s') RETURNING id`)
	// A restored database may have any order; two of one moment go by their attempts.
	for _, f := range []queue.Failure{
		{Attempt: 4, At: at(9), Error: "fourth", Stack: "goroutine 1"},
		{Attempt: 1, At: at(1), Error: "first"},
		{Attempt: 3, At: at(5), Error: "third"},
		{Attempt: 2, At: at(5), Error: "second"},
		{Attempt: 7, At: at(9), Error: "seventh"},
		{Attempt: 6, At: at(9), Error: "sixth"},
		{Attempt: 5, At: at(9), Error: "fifth"},
	} {
		b.exec(`INSERT INTO job_failures (job_id, at, worker, attempt, error, stack)
			VALUES ($1, $2, $3, $4, $5, $6)`, id, f.At, worker, f.Attempt, f.Error, f.Stack)
	}
	b.exec(`INSERT INTO job_failures (job_id, worker, attempt, error)
		VALUES ($1, 99, 1, 'x')`, other)

	failures, err = b.q.Failures(t.Context(), b.db, id)
	require.NoError(t, err)
	for i := range failures {
		failures[i].At = failures[i].At.UTC()
	}
	require.Equal(t, []queue.Failure{
		{Attempt: 1, At: at(1), Worker: "host:1", Error: "first"},
		{Attempt: 2, At: at(5), Worker: "host:1", Error: "second"},
		{Attempt: 3, At: at(5), Worker: "host:1", Error: "third"},
		{Attempt: 4, At: at(9), Worker: "host:1", Error: "fourth", Stack: "goroutine 1"},
		{Attempt: 5, At: at(9), Worker: "host:1", Error: "fifth"},
		{Attempt: 6, At: at(9), Worker: "host:1", Error: "sixth"},
		{Attempt: 7, At: at(9), Worker: "host:1", Error: "seventh"},
	}, failures)

	failures, err = b.q.Failures(t.Context(), b.db, other)
	require.NoError(t, err)
	require.Len(t, failures, 1)
	require.Empty(t, failures[0].Worker, "its row is gone")
}

// stats returns Stats by queue, and checks that they come in the queues' order.
func (b *bench) stats() map[string]queue.QueueStats {
	b.t.Helper()
	list, err := b.q.Stats(b.t.Context(), b.db)
	require.NoError(b.t, err)
	byName, last := map[string]queue.QueueStats{}, ""
	for _, s := range list {
		require.Greater(b.t, s.Queue, last)
		byName[s.Queue], last = s, s.Queue
	}
	return byName
}

// Conformance 101.
func TestStatsOfEmptyTablesAreNone(t *testing.T) {
	b := setup(t)
	stats, err := b.q.Stats(t.Context(), b.db)
	require.NoError(t, err)
	require.Empty(t, stats)
}

// bury makes n dead jobs of a queue.
func (b *bench) bury(queueName string, n int) {
	b.t.Helper()
	b.exec(`INSERT INTO jobs (kind, queue) SELECT 'note', $1 FROM generate_series(1, $2)`,
		queueName, n)
	b.exec(`WITH gone AS (DELETE FROM jobs WHERE queue = $1 RETURNING *)
		INSERT INTO dead_jobs (`+queue.Carried+`, state)
		SELECT `+queue.Carried+`, 'dead' FROM gone`, queueName)
}

// Conformance 102.
func TestStatsCountEachStateOfEachQueue(t *testing.T) {
	b := setup(t)
	b.bury("busy", 5)
	b.bury("graves", 1)
	in := func(queueName string, priority int, delay time.Duration) {
		b.insert(queue.With{Args: Note{}, Queue: queueName, Priority: priority, Delay: delay})
	}
	for priority := 1; priority <= 4; priority++ { // each is a lane of its own
		in("busy", priority, 0)
		in("busy", priority, time.Hour)
	}
	in("busy", 3, 0)
	in("busy", 4, time.Hour)
	in("one", 2, 0)
	b.exec(`INSERT INTO jobs (kind, queue, attempt, run_at, priority)
		SELECT 'note', 'busy', 1, now() + interval '1 h', n FROM generate_series(1, 3) n`)
	b.exec(`INSERT INTO jobs (kind, queue, attempt) VALUES ('note', 'one', 3)`) // due again: ready
	b.exec(`INSERT INTO jobs (kind, queue, state, attempt, token, worker, claimed_at)
		SELECT 'note', 'busy', 'running', 1, n, 1, now() FROM generate_series(1, 2) n`)
	b.exec(`INSERT INTO queues (name, paused_at) VALUES ('held', now()), ('one', now()),
		('set', NULL)`)
	b.exec(`INSERT INTO workers (name, queues, slots, lease, state, ended_at) VALUES
		('host:1', '{idle,busy}', 1, '20 s', 'live', NULL),
		('host:2', '{stopped}', 1, '20 s', 'stopped', now()),
		('host:3', '{gone}', 1, '20 s', 'dead', now())`)

	stats := b.stats()
	for name, s := range stats {
		require.Equal(t, s.Ready == 0, s.Latency == 0, name)
		s.Latency = 0
		stats[name] = s
	}
	require.Equal(t, map[string]queue.QueueStats{
		"busy":   {Queue: "busy", Ready: 5, Scheduled: 5, Retrying: 3, Running: 2, Dead: 5},
		"one":    {Queue: "one", Ready: 2, Paused: true},
		"graves": {Queue: "graves", Dead: 1},
		"held":   {Queue: "held", Paused: true},
		"idle":   {Queue: "idle"},
	}, stats)
}

// Conformance 103.
func TestLatencyIsThatOfTheFirstDueJob(t *testing.T) {
	b := setup(t)
	in := func(queueName, ago, state string, token int) {
		b.exec(`INSERT INTO jobs (kind, queue, run_at, state, attempt, token, worker, claimed_at)
			VALUES ('note', $1, now() - $2::interval, $3, $4, $5, $5, now())`,
			queueName, ago, state, token, token)
	}
	in("late", "50 ms", "queued", 0)
	in("late", "10 ms", "queued", 0)
	in("later", "1 h", "queued", 0)
	in("later", "3 h", "running", 1) // somebody is at it
	in("ahead", "-1 h", "queued", 0)
	in("at-work", "1 h", "running", 1)

	before := value[time.Time](b, `SELECT clock_timestamp()`)
	stats := b.stats()
	took := value[time.Time](b, `SELECT clock_timestamp()`).Sub(before)
	require.Greater(t, stats["late"].Latency, 50*time.Millisecond)
	require.Less(t, stats["late"].Latency, 50*time.Millisecond+took+patience)
	require.Greater(t, stats["later"].Latency, time.Hour)
	require.Less(t, stats["later"].Latency, time.Hour+took+patience)
	require.Zero(t, stats["ahead"].Latency)
	require.Zero(t, stats["at-work"].Latency)
}

func TestStatsStopCounting(t *testing.T) {
	b := setup(t)
	b.exec(`INSERT INTO jobs (kind, queue, attempt, run_at)
		SELECT 'note', 'long', v.attempt, now() + v.delay
		  FROM (VALUES (0, interval '-1 h', 10002), (0, '1 h', 10002), (1, '2 h', 9500)) v
		         (attempt, delay, many), generate_series(1, many)`)
	b.exec(`INSERT INTO jobs (kind, queue, run_at, priority)
		SELECT 'note', 'spread', now(), 1 + n % 4 FROM generate_series(1, 10001) n`)
	b.exec(`INSERT INTO jobs (kind, queue, run_at)
		SELECT 'note', 'short', now() FROM generate_series(1, 10000) n`)
	b.exec(`INSERT INTO jobs (kind, queue, state, attempt, token, worker, claimed_at)
		SELECT 'note', 'at-work', 'running', 1, n, 1, now() FROM generate_series(1, 10002) n`)
	b.bury("graves", 10_002)

	stats := b.stats()
	for name, s := range stats {
		s.Latency = 0
		stats[name] = s
	}
	const more = 10_001
	require.Equal(t, map[string]queue.QueueStats{
		"long":    {Queue: "long", Ready: more, Scheduled: more, Retrying: 9_500},
		"spread":  {Queue: "spread", Ready: more},
		"short":   {Queue: "short", Ready: 10_000},
		"at-work": {Queue: "at-work", Running: more},
		"graves":  {Queue: "graves", Dead: more},
	}, stats)
}
