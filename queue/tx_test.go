package queue_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

type txFunc func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error

func (f txFunc) HandleTx(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
	return f(ctx, tx, job)
}

// setupEffects is setup with a table of effects and few enough slots for HandleTx.
func setupEffects(t *testing.T) *bench {
	t.Helper()
	b := setup(t)
	b.w.Queues[0].Slots = 2
	b.exec(`CREATE TABLE effects (job bigint)`)
	return b
}

const effect = `INSERT INTO effects VALUES ($1)`

func (b *bench) effects() int { return value[int](b, `SELECT count(*) FROM effects`) }

func TestTxHandlerCommitsItsWritesWithTheJob(t *testing.T) {
	b := setupEffects(t)
	queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
		if job.Args.Text == "first" {
			if _, err := b.q.Insert(ctx, tx, Note{Text: "second"}); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, effect, job.ID)
		return err
	}))
	id := b.insert(Note{Text: "first"})
	b.run()
	b.until(id, queue.StateCompleted)
	b.until(id+1, queue.StateCompleted)
	require.Equal(t, 2, b.effects())
	require.Empty(t, b.heard)
}

func TestTxHandlerThatFailsLeavesNoWrites(t *testing.T) {
	tests := map[string]func(ctx context.Context, tx pgx.Tx) error{
		"error": func(context.Context, pgx.Tx) error { return errors.New("no") },
		"panic": func(context.Context, pgx.Tx) error { panic("no") },
		"SQL error": func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SELECT 1/$1::int`, 0)
			return err
		},
		"SQL error dropped": func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, `SELECT 1/$1::int`, 0)
			return nil
		},
		"snooze":  func(context.Context, pgx.Tx) error { return queue.Snooze(1 << 40) },
		"discard": func(context.Context, pgx.Tx) error { return queue.Discard(errors.New("no")) },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			b := setupEffects(t)
			queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
				if _, err := tx.Exec(ctx, effect, job.ID); err != nil {
					return err
				}
				if _, err := b.q.Insert(ctx, tx, queue.With{Args: Note{}, Queue: "other"}); err != nil {
					return err
				}
				return end(ctx, tx)
			}))
			id := b.insert(Note{})
			b.run()
			b.untilJob(id, func(j *queue.JobRow) bool {
				return !j.ClaimedAt.IsZero() && j.State != queue.StateRunning
			})
			require.Zero(t, b.effects())
			require.Zero(t, value[int](b, `SELECT count(*) FROM all_jobs WHERE queue = 'other'`))
			require.NoError(t, b.stopped(), "no connection is left in a transaction")
		})
	}
}

func TestTxHandlerCannotEndItsTransactionOrKeepIt(t *testing.T) {
	b := setupEffects(t)
	kept := make(chan pgx.Tx, 1)
	queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, _ *queue.Job[Note]) error {
		require.Error(t, tx.Commit(ctx))
		require.Error(t, tx.Rollback(ctx))
		kept <- tx
		return nil
	}))
	b.until(b.runOne(Note{}), queue.StateCompleted)
	tx := receive(t, kept)
	_, err := tx.Exec(t.Context(), effect, 1)
	require.ErrorContains(t, err, "ends when it returns")
	require.Error(t, tx.QueryRow(t.Context(), `SELECT 1`).Scan(new(int)))
	require.Zero(t, b.effects())
}

// runOne starts b's worker and inserts one job.
func (b *bench) runOne(args queue.Args) int64 {
	b.t.Helper()
	b.run()
	return b.insert(args)
}

func TestTxHandlerMayCompleteTheJobItself(t *testing.T) {
	b := setupEffects(t)
	queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
		return job.Complete(ctx, tx)
	}))
	b.until(b.runOne(Note{}), queue.StateCompleted)
	require.Empty(t, b.heard)
}

func TestCompleteEndsTheJobWithTheHandlersWrites(t *testing.T) {
	b := setupEffects(t)
	queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
		return pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, effect, job.ID); err != nil {
				return err
			}
			return job.Complete(ctx, tx)
		})
	})
	id := b.runOne(Note{})
	b.until(id, queue.StateCompleted)
	require.NoError(t, b.stopped())
	require.Equal(t, 1, b.effects())
	require.Equal(t, 1, value[int](b, `SELECT count(*) FROM finished_jobs`))
	require.Empty(t, b.heard)
}

// Once its transaction has committed, what the handler returns is told and counts for
// nothing.
func TestErrorAfterACommittedCompleteIsNoFailure(t *testing.T) {
	b := setupEffects(t)
	queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
		err := pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error { return job.Complete(ctx, tx) })
		require.NoError(t, err)
		return errors.New("as if the reply to COMMIT were lost")
	})
	id := b.runOne(Note{})
	b.until(id, queue.StateCompleted)
	require.NoError(t, b.stopped())
	failed := &queue.JobError{}
	require.ErrorAs(t, receive(t, b.heard), &failed)
	require.Equal(t, queue.StateCompleted, failed.Job.State)
	require.Empty(t, b.heard)
	require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
}

func TestCompleteInATransactionThatRollsBackIsAFailure(t *testing.T) {
	for name, result := range map[string]error{"nil": nil, "error": errors.New("mine")} {
		t.Run(name, func(t *testing.T) {
			b := setupEffects(t)
			queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
				tx, err := b.db.Begin(ctx)
				require.NoError(t, err)
				require.NoError(t, job.Complete(ctx, tx))
				require.NoError(t, tx.Rollback(ctx))
				return result
			})
			id := b.runOne(Note{})
			want := "transaction that did not commit"
			if result != nil {
				want = "mine"
			}
			b.hears(want)
			job := b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued })
			require.Equal(t, 1, job.Attempt)
		})
	}
}

// Conformance 137.
func TestCommitThatFailsUndoesTheWritesAndTheEnd(t *testing.T) {
	// The first attempt's writes break a rule that is looked at by COMMIT.
	write := func(ctx context.Context, b *bench, tx pgx.Tx, job *queue.Job[Note]) error {
		for range 3 - job.Attempt {
			if _, err := tx.Exec(ctx, effect, job.ID); err != nil {
				return err
			}
		}
		_, err := b.q.Insert(ctx, tx, queue.With{Args: Note{}, Queue: "other"})
		return err
	}
	for name, handle := range map[string]func(b *bench){
		"HandleTx": func(b *bench) {
			queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
				return write(ctx, b, tx, job)
			}))
		},
		"Complete": func(b *bench) {
			queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
				return pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error {
					return errors.Join(write(ctx, b, tx, job), job.Complete(ctx, tx))
				})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setupEffects(t)
			b.exec(`ALTER TABLE effects ADD CONSTRAINT once UNIQUE (job) DEFERRABLE INITIALLY DEFERRED`)
			handle(b)
			id := b.runOne(Note{})
			require.Equal(t, "23505", sqlState(t, b.hears("once")))
			job := b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued })
			require.Equal(t, 1, job.Attempt, "the attempt has failed")
			require.Zero(t, b.effects())
			require.Equal(t, 1, value[int](b, `SELECT count(*) FROM all_jobs`), "no follow-up job, and no end")

			b.dueNow(id)
			require.Equal(t, 2, b.until(id, queue.StateCompleted).Attempt)
			require.Equal(t, 1, b.effects())
			require.Equal(t, 1, value[int](b, `SELECT count(*) FROM jobs WHERE queue = 'other'`))
		})
	}
}

func TestAJobThatNobodyHandedOutIsLost(t *testing.T) {
	t.Parallel()
	job := &queue.Job[Note]{}
	require.ErrorIs(t, job.Complete(t.Context(), nil), queue.ErrLost)
	require.ErrorIs(t, job.Fence(t.Context(), nil), queue.ErrLost)
}

// takeOver makes a job look as if another worker had claimed it since, one that
// lives as long as the test.
func (b *bench) takeOver(id int64) {
	b.exec(`
WITH other AS (
  INSERT INTO workers (name, queues, slots, lease, beat_at)
  VALUES ('other:1', '{}', 1, '1 h', now() + interval '1 h')
  RETURNING id)
UPDATE jobs SET token = token % 1000 + 1, worker = (SELECT id FROM other) WHERE id = $1`, id)
}

func TestStaleAttemptChangesNothing(t *testing.T) {
	tests := map[string]func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error{
		"Complete": func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error { return job.Complete(ctx, tx) },
		"Fence":    func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error { return job.Fence(ctx, tx) },
	}
	for name, verb := range tests {
		t.Run(name, func(t *testing.T) {
			b := setupEffects(t)
			queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
				b.takeOver(job.ID)
				tx, err := b.db.Begin(ctx)
				require.NoError(t, err)
				_, err = tx.Exec(ctx, effect, job.ID)
				require.NoError(t, err)
				lost := verb(ctx, tx, job)
				require.ErrorIs(t, lost, queue.ErrLost)
				require.ErrorContains(t, lost, "job")
				// A caller that drops the error cannot commit all the same.
				require.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)
				return lost
			})
			id := b.runOne(Note{})
			require.ErrorIs(t, b.hears("lost its claim"), queue.ErrLost)
			job, err := b.q.Get(t.Context(), b.db, id)
			require.NoError(t, err)
			require.Equal(t, queue.StateRunning, job.State, "the successor's claim stands")
			require.Zero(t, b.effects())
			require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
		})
	}
}

func TestStaleAttemptsEndIsIgnoredWhateverItIs(t *testing.T) {
	ends := map[string]error{
		"nil": nil, "error": errors.New("no"), "snooze": queue.Snooze(0),
		"discard": queue.Discard(errors.New("no")), "no retry": queue.NoRetry(errors.New("no")),
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			queue.HandleFunc(b.w, func(_ context.Context, job *queue.Job[Note]) error {
				if job.Args.Text == "stale" {
					b.takeOver(job.ID)
					return end
				}
				return nil
			})
			b.run()
			stale, good := b.insert(Note{Text: "stale"}), b.insert(Note{})
			b.until(good, queue.StateCompleted)
			require.ErrorIs(t, b.hears("lost its claim"), queue.ErrLost)
			job, err := b.q.Get(t.Context(), b.db, stale)
			require.NoError(t, err)
			require.Equal(t, queue.StateRunning, job.State)
			require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
			require.NoError(t, b.stopped())
		})
	}
}

func TestTxHandlerWhoseClaimIsLostWritesNothing(t *testing.T) {
	b := setupEffects(t)
	queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, job *queue.Job[Note]) error {
		b.takeOver(job.ID)
		_, err := tx.Exec(ctx, effect, job.ID)
		return err
	}))
	b.runOne(Note{})
	require.ErrorIs(t, b.hears("lost its claim"), queue.ErrLost)
	require.Zero(t, b.effects())
}

func TestFencedTransactionCommitsWhileTheClaimHolds(t *testing.T) {
	b := setupEffects(t)
	queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
		return pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, effect, job.ID); err != nil {
				return err
			}
			return job.Fence(ctx, tx)
		})
	})
	b.until(b.runOne(Note{}), queue.StateCompleted)
	require.Equal(t, 1, b.effects())
}

func TestTransactionOfATxHandlerIsReadCommitted(t *testing.T) {
	b := setupEffects(t)
	b.exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''serializable''',
		current_database()); END $$`)
	b.db.Reset()
	level := make(chan string, 1)
	queue.HandleTx(b.w, txFunc(func(ctx context.Context, tx pgx.Tx, _ *queue.Job[Note]) error {
		var s string
		err := tx.QueryRow(ctx, `SHOW transaction_isolation`).Scan(&s)
		level <- s
		return err
	}))
	b.until(b.runOne(Note{}), queue.StateCompleted)
	require.Equal(t, "read committed", receive(t, level))
}

// A role may have synchronous_commit off. A job's end must not be lost with it.
func TestEndOfAJobIsCommittedSynchronously(t *testing.T) {
	b := setupEffects(t)
	b.exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off',
		current_database()); END $$`)
	b.db.Reset()
	b.exec(`CREATE TABLE commits (mode text)`)
	b.exec(`CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO commits VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$`)
	b.exec(`CREATE CONSTRAINT TRIGGER note AFTER INSERT ON finished_jobs
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_commit()`)
	queue.HandleTx(b.w, txFunc(func(context.Context, pgx.Tx, *queue.Job[Note]) error { return nil }))
	queue.HandleFunc(b.w, func(context.Context, *queue.Job[number]) error { return nil })
	b.run()
	b.until(b.insert(Note{}), queue.StateCompleted)
	b.until(b.insert(number{}), queue.StateCompleted)
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM commits WHERE mode = 'on'`))
}

func TestCompleteInASerializableTransactionThatConflictsIsTriedAgain(t *testing.T) {
	b := setupEffects(t)
	queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
		for {
			err := pgx.BeginTxFunc(ctx, b.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead},
				func(tx pgx.Tx) error {
					if _, err := tx.Exec(ctx, `SELECT 1`); err != nil {
						return err
					}
					if b.effects() == 0 { // only the first time round: the row changes meanwhile
						b.exec(effect, job.ID)
						b.exec(`UPDATE jobs SET meta = '{}' WHERE id = $1`, job.ID)
					}
					return job.Complete(ctx, tx)
				})
			var pgErr *pgconn.PgError
			if errors.As(err, &pgErr) && pgErr.Code == "40001" {
				continue
			}
			return err
		}
	})
	b.until(b.runOne(Note{}), queue.StateCompleted)
	require.Empty(t, b.heard)
}
