package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// blocked waits until so many sessions of b's database wait for a lock.
func (b *bench) blocked(n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		return n == value[int](b, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	}, patience, 5*time.Millisecond)
}

// insertSoon inserts jobs through db, which may wait, as one if it is one.
func (b *bench) insertSoon(db queue.DB, jobs ...queue.Args) <-chan finish {
	result := make(chan finish, 1)
	go func() {
		var f finish
		if len(jobs) == 1 {
			f.made, f.err = b.q.Insert(b.t.Context(), db, jobs[0])
		} else {
			var made []queue.Insertion
			if made, f.err = b.q.InsertBatch(b.t.Context(), db, queue.Each(jobs)); f.err == nil {
				f.made = made[len(made)-1]
			}
		}
		result <- f
	}()
	return result
}

func TestKeyedInsertWaitsForTheTransactionThatHasItsKey(t *testing.T) {
	for _, how := range []string{"Insert", "InsertBatch", "Insert in REPEATABLE READ"} {
		for _, commit := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, commit %v", how, commit), func(t *testing.T) {
				b := setup(t)
				keyed := queue.With{Args: Note{Text: "waits"}, Unique: "k"}
				holder := b.begin(pgx.TxOptions{})
				held, err := b.q.Insert(t.Context(), holder, queue.With{Args: Note{Text: "holds"}, Unique: "k"})
				require.NoError(t, err)

				var waits <-chan finish
				switch how {
				case "Insert":
					waits = b.insertSoon(b.db, keyed)
				case "InsertBatch":
					waits = b.insertSoon(b.db, Note{Text: "other"}, keyed)
				default:
					waits = b.insertSoon(b.begin(pgx.TxOptions{IsoLevel: pgx.RepeatableRead}), keyed)
				}
				b.blocked(1)
				if !commit {
					require.NoError(t, holder.Rollback(t.Context()))
					f := receive(t, waits)
					require.NoError(t, f.err)
					require.Equal(t, queue.Inserted, f.made.Outcome)
					require.NotEqual(t, held.ID, f.made.ID)
					return
				}
				require.NoError(t, holder.Commit(t.Context()))
				f := receive(t, waits)
				if how == "Insert in REPEATABLE READ" { // it cannot see what has come since
					require.Equal(t, "40001", sqlState(t, f.err))
					return
				}
				require.NoError(t, f.err)
				require.Equal(t, queue.Insertion{ID: held.ID, Outcome: queue.Existing}, f.made)
				require.NotContains(t, b.live(), "waits")
			})
		}
	}
}

// Postgres ends one of them, and what the other has inserted stands.
func TestTransactionsThatTakeTwoKeysInOppositeOrdersDeadlock(t *testing.T) {
	b := setup(t)
	txs := []pgx.Tx{b.begin(pgx.TxOptions{}), b.begin(pgx.TxOptions{})}
	keys := [][]string{{"a", "b"}, {"b", "a"}}
	job := func(i, step int) queue.Args {
		return queue.With{Args: Note{Text: fmt.Sprint(i, keys[i][step])}, Unique: keys[i][step]}
	}
	for i, tx := range txs {
		made, err := b.q.Insert(t.Context(), tx, job(i, 0))
		require.NoError(t, err)
		require.Equal(t, queue.Inserted, made.Outcome)
	}
	waits := []<-chan finish{b.insertSoon(txs[0], job(0, 1)), nil}
	b.blocked(1)
	waits[1] = b.insertSoon(txs[1], job(1, 1))

	finishes := []finish{receive(t, waits[0]), receive(t, waits[1])}
	victim := 0
	if finishes[0].err == nil {
		victim = 1
	}
	survivor := 1 - victim
	require.Equal(t, "40P01", sqlState(t, finishes[victim].err))
	require.ErrorIs(t, txs[victim].Commit(t.Context()), pgx.ErrTxCommitRollback)
	require.NoError(t, finishes[survivor].err)
	require.Equal(t, queue.Inserted, finishes[survivor].made.Outcome)
	require.NoError(t, txs[survivor].Commit(t.Context()))
	require.ElementsMatch(t, []string{fmt.Sprint(survivor, "a"), fmt.Sprint(survivor, "b")}, b.live())
}

// Somebody holds a key in the middle. Two batches, each of as many jobs as one statement
// takes, get there from both ends, and neither has then what the other wants.
func TestBatchesOfOneStatementTakeTheirKeysInOneOrder(t *testing.T) {
	b := setup(t)
	jobs := notes(atOnce)
	for i := range jobs {
		jobs[i] = queue.With{Args: jobs[i], Unique: fmt.Sprintf("k%04d", i)}
	}
	backwards := slices.Clone(jobs)
	slices.Reverse(backwards)
	holder := b.begin(pgx.TxOptions{})
	_, err := b.q.Insert(t.Context(), holder, jobs[atOnce/2])
	require.NoError(t, err)
	first := b.insertSoon(b.db, jobs...)
	b.blocked(1)
	second := b.insertSoon(b.db, backwards...)
	b.blocked(2)
	require.NoError(t, holder.Rollback(t.Context()))
	last := map[string]queue.Insertion{}
	for name, wait := range map[string]<-chan finish{"first": first, "second": second} {
		f := receive(t, wait)
		require.NoError(t, f.err)
		last[name] = f.made
	}
	require.Equal(t, queue.Inserted, last["first"].Outcome)
	require.Equal(t, queue.Existing, last["second"].Outcome)
	require.Len(t, b.live(), atOnce)
}

func TestKeyHasAtMost256Bytes(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	for _, c := range []string{"x", "é", "😀"} {
		longest := strings.Repeat(c, 256/len(c))
		require.Len(t, longest, 256)
		keyed := queue.With{Args: Note{}, Unique: longest}
		made := b.batch(tx, keyed, keyed)
		require.Equal(t, queue.Inserted, made[0].Outcome)
		require.Equal(t, queue.Insertion{ID: made[0].ID, Outcome: queue.Existing}, made[1])
		job, err := b.q.Get(t.Context(), tx, made[0].ID)
		require.NoError(t, err)
		require.Equal(t, longest, job.Unique)

		// One that differs in its last byte is another.
		other := queue.With{Args: Note{}, Unique: longest[:256-len(c)] + strings.Repeat("y", len(c))}
		again, err := b.q.Insert(t.Context(), tx, other)
		require.NoError(t, err)
		require.Equal(t, queue.Inserted, again.Outcome)

		tooLong := queue.With{Args: Note{}, Unique: longest + "x"}
		_, one := b.q.Insert(t.Context(), tx, tooLong)
		_, many := b.q.InsertBatch(t.Context(), tx, queue.Each([]queue.With{keyed, tooLong}))
		for _, err := range []error{one, many} {
			var invalid *queue.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "Unique", invalid.Field)
			require.Equal(t, "must have at most 256 bytes, has 257", invalid.Reason)
		}
	}
	require.NoError(t, tx.Commit(t.Context()))
	require.Len(t, b.live(), 6)
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
