package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// ears returns a connection that hears the bell of b's schema.
func (b *bench) ears() *pgx.Conn {
	b.t.Helper()
	conn, err := pgx.Connect(b.t.Context(), pgtest.URL(b.db))
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	channel := value[string](b, `SELECT 'rowlock_' || 'workers'::regclass::oid`)
	_, err = conn.Exec(b.t.Context(), `LISTEN `+channel)
	require.NoError(b.t, err)
	return conn
}

// heard returns the queues whose bell has rung: this connection hears all that was
// committed before it asks.
func heard(t *testing.T, conn *pgx.Conn) (queues []string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `SELECT`)
	require.NoError(t, err)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		n, err := conn.WaitForNotification(ctx)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return queues
		}
		queues = append(queues, n.Payload)
	}
}

// sleeper makes a row of a worker that sleeps.
func (b *bench) sleeper(queues ...string) int64 {
	b.t.Helper()
	return value[int64](b, `INSERT INTO workers (name, queues, slots, lease, asleep)
		VALUES ('host:1', $1, 10, '20 s', true) RETURNING id`, queues)
}

func TestInsertRingsForAWorkerThatSleeps(t *testing.T) {
	b := setup(t)
	conn := b.ears()
	none := []string(nil)
	silent := queue.Client{Silent: true}
	insert := func(q *queue.Client, args queue.Args) []string {
		_, err := q.Insert(t.Context(), b.db, args)
		require.NoError(t, err)
		return heard(t, conn)
	}
	require.Equal(t, none, insert(&b.q, Note{}), "nobody sleeps")
	worker := b.sleeper("default", "other")
	require.Equal(t, []string{"default"}, insert(&b.q, Note{}))
	require.Equal(t, []string{"other"}, insert(&b.q, queue.With{Args: Note{}, Queue: "other", Unique: "k"}))
	require.Equal(t, none, insert(&b.q, queue.With{Args: Note{}, Queue: "other", Unique: "k"}), "it is there")
	require.Equal(t, none, insert(&b.q, queue.With{Args: Note{}, Queue: "third"}), "nobody works it")
	require.Equal(t, none, insert(&b.q, queue.With{Args: Note{}, Delay: time.Hour}), "it is not due")
	require.Equal(t, none, insert(&silent, Note{}))

	b.batch(b.db, Note{}, Note{}, queue.With{Args: Note{}, Queue: "third"},
		queue.With{Args: Note{}, Queue: "other", Delay: time.Hour})
	require.Equal(t, []string{"default"}, heard(t, conn), "a batch rings once for a queue")
	b.exec(`SELECT enqueue_job('note'), enqueue_job('note', run_at => now() + interval '1 h', queue => 'other')`)
	require.Equal(t, []string{"default"}, heard(t, conn))

	tx := b.begin(pgx.TxOptions{})
	_, err := b.q.Insert(t.Context(), tx, Note{})
	require.NoError(t, err)
	require.Equal(t, none, heard(t, conn), "not before the commit")
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{"default"}, heard(t, conn))

	b.exec(`UPDATE workers SET asleep = false WHERE id = $1`, worker)
	require.Equal(t, none, insert(&b.q, Note{}), "it is awake")
	b.exec(`UPDATE workers SET asleep = true, state = 'dead', ended_at = now() WHERE id = $1`, worker)
	require.Equal(t, none, insert(&b.q, Note{}), "it is dead")
}

func TestPreparedTransactionTakesASilentInsert(t *testing.T) {
	b := setup(t)
	if value[string](b, `SHOW max_prepared_transactions`) == "0" {
		t.Skip("the server allows no prepared transactions")
	}
	b.sleeper("default")
	tx := b.begin(pgx.TxOptions{})
	_, err := (&queue.Client{Silent: true}).Insert(t.Context(), tx, Note{})
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `PREPARE TRANSACTION 'one'`)
	require.NoError(t, err)
}

func TestWorkerSleepsWhenNothingIsLeftAndIsWokenByAnInsert(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	b.run()
	asleep := func() bool {
		return value[bool](b, `SELECT EXISTS (SELECT FROM workers WHERE state = 'live' AND asleep)`)
	}
	// In a transaction, so that it does not learn of it within the process. It may be
	// awake for a while since other tests wake all workers of the process.
	for range 3 {
		require.Eventually(t, asleep, patience, 5*time.Millisecond)
		beats := value[time.Time](b, `SELECT beat_at FROM workers`)
		tx := b.begin(pgx.TxOptions{})
		made, err := b.q.Insert(t.Context(), tx, Note{})
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		job := b.until(made.ID, queue.StateCompleted)
		require.False(t, job.ClaimedAt.Before(beats))
	}
}

// While it has much to do, nobody need wake it.
func TestBusyWorkerIsNotRungFor(t *testing.T) {
	b := setup(t)
	var over atomic.Bool
	b.failWith(func(job *queue.Job[Note]) error { // each makes the next
		if over.Load() {
			return nil
		}
		_, err := b.q.Insert(context.Background(), b.db, Note{})
		return err
	})
	b.run()
	asleep := func(want bool) {
		require.Eventually(t, func() bool {
			return value[bool](b, `SELECT EXISTS (SELECT FROM workers WHERE state = 'live' AND asleep = $1)`, want)
		}, patience, 5*time.Millisecond)
	}
	asleep(true)
	b.batch(b.db, notes(10)...)
	asleep(false)
	over.Store(true)
	asleep(true)
}

// A pool may be set up to do other things with notifications and contexts.
func TestWorkerHearsTheBellWhateverItsPoolDoesWithNotifications(t *testing.T) {
	b := setup(t)
	config := b.db.Config()
	config.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Hour}
	}
	db, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	b.w.DB = db
	b.failWith(succeed)
	b.run()
	for range 2 {
		b.nextBeat()
		tx := b.begin(pgx.TxOptions{})
		made, err := b.q.Insert(t.Context(), tx, Note{})
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		b.until(made.ID, queue.StateCompleted)
	}
	require.NoError(t, b.stopped())
}

// The worker's row has two writers: its heartbeat, and the loop that falls asleep.
func TestBeatThatMeetsAnotherWriteGoesOnWhereTheDefaultIsSerializable(t *testing.T) {
	b := setup(t)
	b.exec(`DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
	END $$`)
	b.db.Reset()
	require.Equal(t, "serializable", value[string](b, `SHOW transaction_isolation`))
	b.failWith(succeed)
	b.run()
	b.nextBeat()
	tx := b.begin(pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	_, err := tx.Exec(t.Context(), `UPDATE workers SET slots = slots`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return value[bool](b, `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	}, patience, 5*time.Millisecond, "the beat waits")
	require.NoError(t, tx.Commit(t.Context()))
	b.nextBeat()
	require.NoError(t, b.stopped())
	require.Empty(t, b.heard)
}
