package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// finishedDaysAgo puts a completed job with one failure into the day of its finish.
func (b *bench) finishedDaysAgo(days int) int64 {
	b.t.Helper()
	id := b.finishedAt(time.Now().AddDate(0, 0, -days))
	b.exec(`INSERT INTO job_failures (job_id, worker, attempt, error) VALUES ($1, 1, 1, 'x')`, id)
	return id
}

// Conformance 131, 165.
func TestOldDaysOfTheHistoryAreDropped(t *testing.T) {
	b := setup(t)
	b.w.Retention = 2*24*time.Hour + 1 // is three days
	b.failWith(succeed)
	kept := map[int]int64{}
	for _, days := range []int{0, 1, 3, 5, 8} {
		kept[days] = b.finishedDaysAgo(days)
	}
	dead := b.inState(queue.StateDead, Note{})
	b.exec(`UPDATE dead_jobs SET finished_at = now() - interval '1 year'`)
	b.run()
	require.Eventually(t, func() bool { // without a look into the table, which DROP waits for
		return value[int](b, `SELECT count(*) FROM job_failures`) == 3
	}, patience, 10*time.Millisecond)
	require.Equal(t, 3, value[int](b, `SELECT count(*) FROM finished_jobs`))
	for _, days := range []int{0, 1, 3} {
		b.until(kept[days], queue.StateCompleted)
	}
	b.until(dead, queue.StateDead)
	require.Equal(t, 3, value[int](b, `SELECT count(*) FROM job_failures`), "theirs go with them")
	require.Empty(t, b.heard)
}

// Somebody is in the middle of a finish, or reads an old day: nobody waits for long,
// and what can be emptied is.
func TestRetentionGivesWay(t *testing.T) {
	drop := `SELECT coalesce(drop_finished_day(interval '7 days'), '')`
	t.Run("to a finish", func(t *testing.T) {
		b := setup(t)
		b.finishedDaysAgo(10)
		b.makeDays(0)
		tx, err := b.db.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `INSERT INTO finished_jobs SELECT * FROM dead_jobs`)
		require.NoError(t, err)
		require.Empty(t, value[string](b, drop), "the parent is in use")
		require.Zero(t, value[int](b, `SELECT count(*) FROM finished_jobs`), "but the day is empty")
		require.NoError(t, tx.Rollback(t.Context()))
		require.NotEmpty(t, value[string](b, drop))
		require.Empty(t, value[string](b, drop), "no more")
	})
	t.Run("to a reader", func(t *testing.T) {
		b := setup(t)
		b.finishedDaysAgo(10)
		b.makeDays(0)
		tx, err := b.db.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SELECT * FROM finished_jobs`)
		require.NoError(t, err)
		require.Empty(t, value[string](b, drop))
		require.Equal(t, 1, value[int](b, `SELECT count(*) FROM finished_jobs`))
		require.NoError(t, tx.Rollback(t.Context()))
		require.NotEmpty(t, value[string](b, drop))
	})
}

// Conformance 113.
func TestWorkersAreForgottenUnlessADeadJobNamesThem(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	old, named, recent := b.other(0, time.Hour), b.other(0, time.Hour), b.other(0, time.Hour)
	b.exec(`UPDATE workers SET state = 'stopped', ended_at = now() - interval '30 days'
		WHERE id IN ($1, $2)`, old, named)
	b.exec(`UPDATE workers SET state = 'stopped', ended_at = now() WHERE id = $1`, recent)
	b.exec(`UPDATE dead_jobs SET worker = $2 WHERE id = $1`, b.inState(queue.StateDead, Note{}), named)
	b.run()
	require.Eventually(t, func() bool {
		return value[int](b, `SELECT count(*) FROM workers WHERE id = $1`, old) == 0
	}, patience, 10*time.Millisecond)
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM workers WHERE id IN ($1, $2)`, named, recent))
}
