package queue_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// refusals names those of the three refusals that err is.
func refusals(err error) (names []string) {
	if errors.Is(err, queue.ErrNotFound) {
		names = append(names, "not found")
	}
	if errors.Is(err, queue.ErrLost) {
		names = append(names, "lost")
	}
	conflict := &queue.ConflictError{}
	if errors.As(err, &conflict) {
		names = append(names, "conflict")
	}
	return names
}

// Conformance 177: whatever became of the job, an attempt whose claim is over is told
// that, and nothing of the job's state.
func TestClaimThatIsOverIsLostWhateverBecameOfTheJob(t *testing.T) {
	for name, sql := range map[string]string{
		"deleted": `DELETE FROM jobs WHERE id = $1`,
		"queued":  `UPDATE jobs SET state = 'queued', token = 0, run_at = now() + interval '1 h' WHERE id = $1`,
		"claimed": `UPDATE jobs SET token = token % 1000 + 1 WHERE id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			lost := make(chan error, 2)
			queue.HandleFunc(b.w, func(ctx context.Context, job *queue.Job[Note]) error {
				if _, err := b.db.Exec(ctx, sql, job.ID); err != nil {
					return err
				}
				for _, verb := range []func(context.Context, pgx.Tx) error{job.Complete, job.Fence} {
					lost <- pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error { return verb(ctx, tx) })
				}
				return nil
			})
			b.runOne(Note{})
			for range 2 {
				require.Equal(t, []string{"lost"}, refusals(receive(t, lost)))
			}
			require.NoError(t, b.stopped())
			require.Zero(t, value[int](b, `SELECT count(*) FROM finished_jobs`))
		})
	}
}

// Conformance 177.
func TestMissingJobAndOneInAnotherStateAreTwoErrors(t *testing.T) {
	b := setup(t)
	running, completed := b.inState(queue.StateRunning, Note{}), b.inState(queue.StateCompleted, Note{})
	cancel := func(id int64) error { _, err := b.q.Cancel(t.Context(), b.db, id); return err }
	retry := func(id int64) error { return b.q.Retry(t.Context(), b.db, id) }
	remove := func(id int64) error { return b.q.Delete(t.Context(), b.db, id) }
	for _, err := range []error{cancel(completed), retry(completed), retry(running), remove(running)} {
		require.Equal(t, []string{"conflict"}, refusals(err))
	}
	for _, err := range []error{cancel(999), retry(999), remove(999)} {
		require.Equal(t, []string{"not found"}, refusals(err))
	}
}

func TestIDsThatNoJobCanHaveAreNotFound(t *testing.T) {
	b := setup(t)
	b.insert(Note{Text: "bystander"})
	tx := b.begin(pgx.TxOptions{})
	for _, id := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		require.ErrorIs(t, b.q.Retry(t.Context(), tx, id), queue.ErrNotFound, id)
		require.ErrorIs(t, b.q.Delete(t.Context(), tx, id), queue.ErrNotFound, id)
		state, err := b.q.Cancel(t.Context(), tx, id)
		require.ErrorIs(t, err, queue.ErrNotFound, id)
		require.ErrorContains(t, err, itoa(id))
		require.Empty(t, state, id)
		_, err = b.q.Get(t.Context(), tx, id)
		require.ErrorIs(t, err, queue.ErrNotFound, id)
		_, err = b.q.Failures(t.Context(), tx, id)
		require.ErrorIs(t, err, queue.ErrNotFound, id)
	}
	require.NoError(t, tx.Commit(t.Context()), "the transaction lives on")
	require.Equal(t, []string{"bystander"}, b.live())
}
