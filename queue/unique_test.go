package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

const racers = 64

// A finish is how one of several inserts of the same key went.
type finish struct {
	made       queue.Insertion
	rolledBack bool
	err        error
}

// race has many insert the same key at once, each through a connection of its own.
func (b *bench) race(insert func(db *pgxpool.Pool) finish) []finish {
	b.t.Helper()
	config := b.db.Config()
	config.MaxConns = racers
	db, err := pgxpool.NewWithConfig(b.t.Context(), config)
	require.NoError(b.t, err)
	defer db.Close()
	results := make(chan finish)
	for range racers {
		go func() { results <- insert(db) }()
	}
	finishes := make([]finish, racers)
	for i := range finishes {
		finishes[i] = receive(b.t, results)
	}
	return finishes
}

// Conformance 142.
func TestOneOfManyInsertsOfAKeyStoresTheJob(t *testing.T) {
	b := setup(t)
	finishes := b.race(func(db *pgxpool.Pool) (f finish) {
		f.made, f.err = b.q.Insert(t.Context(), db, queue.With{Args: Note{}, Unique: "k"})
		return f
	})
	id := value[int64](b, `SELECT id FROM jobs`)
	outcomes := map[queue.Outcome]int{}
	for _, f := range finishes {
		require.NoError(t, f.err)
		require.Equal(t, id, f.made.ID)
		outcomes[f.made.Outcome]++
	}
	require.Equal(t, map[queue.Outcome]int{queue.Inserted: 1, queue.Existing: racers - 1}, outcomes)
}

// Whoever waits for a transaction that then rolls back has the key for itself.
func TestKeyOfATransactionThatRollsBackIsFree(t *testing.T) {
	b := setup(t)
	const rollbacks = 20
	var rolledBack atomic.Int32
	finishes := b.race(func(db *pgxpool.Pool) (f finish) {
		f.err = pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) (err error) {
			f.made, err = b.q.Insert(t.Context(), tx, queue.With{Args: Note{}, Unique: "k"})
			if err == nil && f.made.Outcome == queue.Inserted && rolledBack.Add(1) <= rollbacks {
				f.rolledBack = true
				return tx.Rollback(t.Context())
			}
			return err
		})
		if f.rolledBack && errors.Is(f.err, pgx.ErrTxClosed) {
			f.err = nil
		}
		return f
	})
	type kind struct {
		outcome         queue.Outcome
		ours, committed bool
	}
	id := value[int64](b, `SELECT id FROM jobs`)
	counts := map[kind]int{}
	for _, f := range finishes {
		require.NoError(t, f.err)
		counts[kind{f.made.Outcome, f.made.ID == id, !f.rolledBack}]++
	}
	require.Equal(t, map[kind]int{
		{queue.Inserted, true, true}:   1,
		{queue.Inserted, false, false}: rollbacks,
		{queue.Existing, true, true}:   racers - 1 - rollbacks,
	}, counts)
}

func TestKeyThatATransactionCannotSeeIsASerializationFailure(t *testing.T) {
	b := setup(t)
	for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
		keyed := queue.With{Args: Note{}, Unique: string(level)}
		tx := b.begin(pgx.TxOptions{IsoLevel: level})
		_, err := tx.Exec(t.Context(), `SELECT FROM jobs`) // its snapshot is from now
		require.NoError(t, err)
		id := b.insert(keyed)

		_, err = b.q.Insert(t.Context(), tx, keyed)
		var pgErr *pgconn.PgError
		require.ErrorAs(t, err, &pgErr, level)
		require.Equal(t, "40001", pgErr.Code, level)
		require.NoError(t, tx.Rollback(t.Context()))

		tx = b.begin(pgx.TxOptions{IsoLevel: level})
		made, err := b.q.Insert(t.Context(), tx, keyed)
		require.NoError(t, err, "a new transaction sees the holder")
		require.Equal(t, queue.Insertion{ID: id, Outcome: queue.Existing}, made)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

func TestUnkeyedInsertWaitsForNobody(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	_, err := b.q.Insert(t.Context(), tx, queue.With{Args: Note{}, Unique: "k"})
	require.NoError(t, err)
	b.exec(`ALTER DATABASE ` + pgx.Identifier{b.db.Config().ConnConfig.Database}.Sanitize() +
		` SET lock_timeout = '1ms'`)
	conn, err := pgx.ConnectConfig(t.Context(), b.db.Config().ConnConfig)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()

	_, err = b.q.Insert(t.Context(), conn, Note{})
	require.NoError(t, err)
	_, err = b.q.Insert(t.Context(), conn, queue.With{Args: Note{}, Unique: "other"})
	require.NoError(t, err, "nor does one with another key")
	_, err = b.q.Insert(t.Context(), conn, queue.With{Args: Note{}, Unique: "k"})
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	require.Equal(t, "55P03", pgErr.Code, "one with the same key waits")
}

func TestKeysOfOtherKindsAreOtherKeys(t *testing.T) {
	b := setup(t)
	for _, args := range []queue.Args{Note{}, &Audit{}} {
		made, err := b.q.Insert(t.Context(), b.db, queue.With{Args: args, Unique: "k"})
		require.NoError(t, err)
		require.Equal(t, queue.Inserted, made.Outcome)
	}
}

func TestJobHoldsItsKeyUntilItEnds(t *testing.T) {
	for _, ending := range []struct {
		state queue.State
		err   error
	}{
		{queue.StateCompleted, nil},
		{queue.StateDead, queue.NoRetry(errors.New("no"))},
		{queue.StateDiscarded, queue.Discard(errors.New("no"))},
	} {
		t.Run(string(ending.state), func(t *testing.T) {
			b := setup(t)
			started, end := make(chan int64, 2), make(chan struct{})
			queue.HandleFunc(b.w, func(_ context.Context, job *queue.Job[Note]) error {
				started <- job.ID
				<-end
				return ending.err
			})
			keyed := queue.With{Args: Note{}, Unique: "k"}
			id := b.insert(keyed)
			again := func() queue.Insertion {
				made, err := b.q.Insert(t.Context(), b.db, keyed)
				require.NoError(t, err)
				return made
			}
			require.Equal(t, queue.Insertion{ID: id, Outcome: queue.Existing}, again(), "queued")
			b.run()
			require.Equal(t, id, receive(t, started))
			require.Equal(t, queue.Insertion{ID: id, Outcome: queue.Existing}, again(), "running")
			close(end)
			require.Equal(t, "k", b.until(id, ending.state).Unique, "it is still on record")

			made := again()
			require.Equal(t, queue.Inserted, made.Outcome)
			require.NotEqual(t, id, made.ID)
			require.Equal(t, made.ID, receive(t, started))
		})
	}
}
