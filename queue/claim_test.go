package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// Conformance 59, 133.
func TestAllOfTheHighestPriorityAreClaimedFirst(t *testing.T) {
	b := setup(t)
	b.w.Queues[0].Slots = 3
	b.failWith(succeed)
	var jobs []queue.Args
	for n := range 60 {
		jobs = append(jobs, queue.With{Args: Note{}, Priority: 4 - n%3})
	}
	made := b.batch(b.db, jobs...)
	b.run()
	for _, m := range made {
		b.until(m.ID, queue.StateCompleted)
	}
	// One claim may take the last of a priority and the first of the next.
	for _, higher := range []int{2, 3} {
		require.True(t, value[bool](b, `
SELECT max(claimed_at) FILTER (WHERE priority = $1) <= min(claimed_at) FILTER (WHERE priority > $1)
  FROM finished_jobs`, higher), "priority %d goes before lower ones", higher)
	}
}

// Conformance 59. The jobs take long, so that none is claimed ahead.
func TestLowPriorityWaitsWhileHighOnesKeepComing(t *testing.T) {
	b := setup(t)
	b.w.Queues[0].Slots = 1
	const rounds = 4
	order := make(chan string, rounds+1)
	high := queue.With{Args: Note{Text: "high"}, Priority: 1}
	b.failWith(func(job *queue.Job[Note]) error {
		if order <- job.Args.Text; job.Args.Text == "high" && len(order) < rounds {
			b.nextBeat()
			_, err := b.q.Insert(context.Background(), b.db, high)
			return err
		}
		return nil
	})
	low := b.insert(queue.With{Args: Note{Text: "low"}, Priority: 4}) // is due first
	b.insert(high)
	b.run()
	b.until(low, queue.StateCompleted)
	for range rounds {
		require.Equal(t, "high", receive(t, order))
	}
	require.Equal(t, "low", receive(t, order))
}

// Conformance 75.
func TestDueJobsAreClaimedAndOthersAreLeft(t *testing.T) {
	b := setup(t)
	b.w.Queues = nil
	type waiting struct {
		attempt int
		ahead   time.Duration
	}
	created := map[int64]time.Time{}
	var due, left []int64
	for i, w := range []waiting{
		{1, -time.Minute}, {2, -time.Second}, {3, time.Hour}, // after a failure
		{0, -time.Minute}, {0, -time.Second}, {0, time.Hour}, // scheduled
	} {
		name := fmt.Sprint("q", i)
		b.w.Queues = append(b.w.Queues, queue.Queue{Name: name, Slots: 1})
		id := b.insert(queue.With{Args: Note{Text: name}, Queue: name, Delay: 2 * time.Hour})
		b.exec(`UPDATE jobs SET attempt = $2, run_at = now() + $3::interval, created_at = now() - interval '1 d'
			WHERE id = $1`, id, w.attempt, w.ahead)
		created[id] = value[time.Time](b, `SELECT created_at FROM jobs WHERE id = $1`, id)
		if w.ahead < 0 {
			due = append(due, id)
		} else {
			left = append(left, id)
		}
	}
	queues := make(chan string, len(created))
	b.failWith(func(job *queue.Job[Note]) error {
		if job.Args.Text != job.Queue {
			queues <- job.Queue
		}
		return nil
	})
	b.run()
	for _, id := range due {
		job := b.until(id, queue.StateCompleted)
		require.True(t, created[id].Equal(job.CreatedAt))
	}
	require.NoError(t, b.stopped())
	require.Empty(t, queues, "each came from its queue")
	require.ElementsMatch(t, left, value[[]int64](b, `SELECT array_agg(id) FROM jobs WHERE state = 'queued'`))
	require.Equal(t, []int{0, 3}, value[[]int](b, `SELECT array_agg(attempt ORDER BY attempt) FROM jobs`))
}

// Conformance 77: no step lies between a job's time and its claim, and no claim
// waits for other workers.
func TestJobThatFallsDueIsTakenByTheNextClaimWhoeverAsks(t *testing.T) {
	b := setup(t)
	var workers []int64
	for range 5 {
		workers = append(workers, b.other(0, time.Hour))
	}
	for _, worker := range workers {
		id := b.insert(queue.With{Args: Note{}, Delay: time.Hour})
		claim := queue.Claim(worker, "default", 10, time.Time{})
		state := func() queue.State {
			require.NoError(t, claim.Exec(t.Context(), b.db))
			job, err := b.q.Get(t.Context(), b.db, id)
			require.NoError(t, err)
			return job.State
		}
		require.Equal(t, queue.StateQueued, state(), "ahead of its time")
		b.dueNow(id)
		require.Equal(t, queue.StateRunning, state())
		require.Equal(t, worker, value[int64](b, `SELECT worker FROM jobs WHERE id = $1`, id))
	}
}

// Conformance 126.
func TestJobsOfAllQueuesRun(t *testing.T) {
	for _, queues := range []int{1, 3} {
		t.Run(fmt.Sprint(queues), func(t *testing.T) {
			b := setup(t)
			b.w.Queues = nil
			b.failWith(succeed)
			want := map[int64]string{}
			for i := range queues {
				name := fmt.Sprint("q", i)
				b.w.Queues = append(b.w.Queues, queue.Queue{Name: name, Slots: 2})
				for range 10 {
					want[b.insert(queue.With{Args: Note{}, Queue: name})] = name
				}
			}
			b.run()
			for id, name := range want {
				require.Equal(t, name, b.until(id, queue.StateCompleted).Queue)
			}
			require.NoError(t, b.stopped())
			require.Zero(t, value[int](b, `SELECT count(*) FROM jobs`), "none is left running")
			require.Equal(t, len(want), value[int](b, `SELECT count(*) FROM finished_jobs`))
		})
	}
}

// beside returns a bench on b's database with a pool and a worker of its own. Its
// connections call themselves name.
func (b *bench) beside(name string) *bench {
	b.t.Helper()
	config := b.db.Config()
	config.ConnConfig.RuntimeParams["application_name"] = name
	db, err := pgxpool.NewWithConfig(b.t.Context(), config)
	require.NoError(b.t, err)
	b.t.Cleanup(db.Close)
	other := &bench{t: b.t, db: db, heard: make(chan error, 100)}
	other.w = other.worker()
	return other
}

// Conformance 82.
func TestWorkersOfOneProcessHaveEachTheirOwn(t *testing.T) {
	b := setup(t)
	type sight struct{ queue, middleware, pool string }
	seen, open := make(chan sight, 10), make(chan struct{})
	slots := map[string]int{"one": 1, "two": 2}
	for name, n := range slots {
		own := b.beside(name)
		own.w.Queues = []queue.Queue{{Name: name, Slots: n}}
		own.w.Middleware = []queue.Middleware{
			func(ctx context.Context, _ *queue.JobRow, next func(context.Context) error) error {
				outer, _ := ctx.Value(nameKey{}).(string)
				return next(context.WithValue(ctx, nameKey{}, outer+name))
			},
		}
		queue.HandleTx(own.w, txFunc(func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
			saw := sight{queue: job.Queue, middleware: fmt.Sprint(ctx.Value(nameKey{}))}
			err := tx.QueryRow(ctx, `SHOW application_name`).Scan(&saw.pool)
			seen <- saw
			select {
			case <-open:
			case <-ctx.Done(): // the test has failed
			}
			return err
		}))
		for range 3 {
			b.insert(queue.With{Args: Note{}, Queue: name})
		}
		own.run()
	}
	counts := map[sight]int{}
	for range 3 { // as many as there are slots
		counts[receive(t, seen)]++
	}
	require.Equal(t, map[sight]int{{"one", "one", "one"}: 1, {"two", "two", "two"}: 2}, counts)
	for name, n := range slots {
		require.Equal(t, n, value[int](b, `SELECT count(*) FROM jobs WHERE queue = $1 AND state = 'running'`, name))
		require.Equal(t, n, value[int](b, `SELECT slots FROM workers WHERE queues = ARRAY[$1]`, name))
	}
	close(open)
	for range 3 {
		receive(t, seen)
	}
	require.Eventually(t, func() bool {
		return value[int](b, `SELECT count(*) FROM finished_jobs`) == 6
	}, patience, 5*time.Millisecond)
}
