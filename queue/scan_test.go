package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// A session keeps the plans that it made while jobs was empty, when to read all of it was
// the quickest. Here: nothing of ours does so when there are many.

const (
	// untilKept is how often a statement runs until its session keeps a plan, and more.
	untilKept = 8

	manySQL = `INSERT INTO jobs (kind, queue) SELECT 'note', 'other' FROM generate_series(1, 100000)`
	many    = 100_000
)

// emptyOnce has the planner believe that there are no jobs.
func (b *bench) emptyOnce() {
	b.t.Helper()
	b.exec(`ALTER TABLE jobs SET (autovacuum_enabled = off)`)
	b.exec(`ANALYZE jobs`)
}

// untilGone returns when sessions of that name have told statistics what they did, which
// they do before they are gone.
func (b *bench) untilGone(name string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		return value[int](b, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = $1`, name) == 0
	}, patience, 5*time.Millisecond)
}

// readAsAWhole returns how many rows of jobs were read by who read through the table.
func (b *bench) readAsAWhole() int {
	b.t.Helper()
	return value[int](b, `SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'jobs'::regclass`)
}

func TestWorkerNeverReadsThroughManyJobs(t *testing.T) {
	for name, handle := range map[string]func(b *bench, during func()){
		"which its handlers end themselves": func(b *bench, during func()) {
			queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
				during()
				err := pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error { return job.Fence(ctx, tx) })
				if err != nil {
					return err
				}
				return pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error { return job.Complete(ctx, tx) })
			})
		},
		"which it ends": func(b *bench, during func()) {
			queue.HandleTx(b.w, txFunc(func(context.Context, pgx.Tx, *queue.Job[Note]) error {
				during()
				return nil
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.emptyOnce()
			other := b.beside("scans")
			other.w.Queues[0].Slots = 1
			began, goOn := make(chan struct{}), make(chan struct{})
			handle(other, func() {
				began <- struct{}{}
				<-goOn
			})
			other.run()
			runOne := func(meanwhile func()) {
				id := b.insert(Note{})
				receive(t, began)
				meanwhile()
				goOn <- struct{}{}
				require.Eventually(t, func() bool {
					return value[bool](b, `SELECT EXISTS (SELECT FROM finished_jobs WHERE id = $1)`, id)
				}, patience, time.Millisecond)
			}
			beats := func(n int) func() { // after each it looks whether the job was called off
				return func() {
					for range n {
						b.nextBeat()
					}
				}
			}
			runOne(beats(untilKept))
			for range untilKept {
				runOne(func() {})
			}
			b.exec(manySQL)
			runOne(beats(2))
			require.NoError(t, other.stopped())
			other.db.Close()
			b.untilGone("scans")
			require.Less(t, b.readAsAWhole(), many)
		})
	}
}

func TestClientNeverReadsThroughManyJobs(t *testing.T) {
	b := setup(t)
	b.emptyOnce()
	other := b.beside("scans")
	conn, err := other.db.Acquire(t.Context())
	require.NoError(t, err)
	const nobody = 1 << 40
	keyed := queue.With{Args: Note{}, Queue: "other", Unique: "k"}
	holder := b.insert(keyed)
	ask := func() {
		for range untilKept {
			made, err := b.q.Insert(t.Context(), conn, keyed)
			require.NoError(t, err)
			require.Equal(t, queue.Insertion{ID: holder, Outcome: queue.Existing}, made)
			_, err = b.q.Cancel(t.Context(), conn, nobody)
			require.ErrorIs(t, err, queue.ErrNotFound)
			require.ErrorIs(t, b.q.Retry(t.Context(), conn, nobody), queue.ErrNotFound)
			require.ErrorIs(t, b.q.Delete(t.Context(), conn, nobody), queue.ErrNotFound)
		}
	}
	ask()
	b.exec(manySQL)
	ask()
	conn.Release()
	other.db.Close()
	b.untilGone("scans")
	require.Less(t, b.readAsAWhole(), many)
}

// It goes without the settings of a batch, and is planned with what the planner has been
// told, which may be wrong.
func TestPollReadsTheHeadsOfTheLanesWhateverTheStatisticsSay(t *testing.T) {
	for name, statements := range tablesOfJobs {
		t.Run(name, func(t *testing.T) {
			b := setupTable(t, statements)
			b.exec(`INSERT INTO jobs (kind, run_at)
				SELECT 'note', now() + interval '1 h' + n * interval '1 ms' FROM generate_series(1, 100000) n`)
			tx := b.begin(pgx.TxOptions{})
			for _, cursor := range []time.Time{{}, time.Now()} {
				poll := queue.Poll([]string{"default", "mails"}, cursor)
				p := planOf(t, tx, ", ANALYZE, BUFFERS", poll.SQL, poll.Args...)
				require.Equal(t, []string{"jobs_ready"}, indexesOfJobs(t, p), "%v", p)
				require.Less(t, p.Hit+p.Read, 100, "%v", p)
			}
		})
	}
}
