package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// finishedAt puts a job that was completed then into the history.
func (b *bench) finishedAt(at time.Time) int64 {
	b.t.Helper()
	id := b.insert(Note{Text: "done"})
	b.exec(`WITH gone AS (DELETE FROM jobs WHERE id = $1 RETURNING *)
		INSERT INTO finished_jobs (`+queue.Carried+`, state, finished_at)
		SELECT `+queue.Carried+`, 'completed', $2 FROM gone`, id, at)
	return id
}

// leaf returns the partition that a finished job is in.
func (b *bench) leaf(id int64) string {
	b.t.Helper()
	return value[string](b, `SELECT tableoid::regclass::text FROM finished_jobs WHERE id = $1`, id)
}

// leafOf is the name of a day's partition.
func leafOf(at time.Time) string { return "finished_jobs_" + at.UTC().Format("20060102") }

// today is the day by the database's clock, in UTC.
func (b *bench) today() time.Time {
	b.t.Helper()
	return value[time.Time](b, `SELECT date_trunc('day', now(), 'UTC')`).UTC()
}

// makeDays returns how many partitions were made.
func (b *bench) makeDays(ahead int) int {
	b.t.Helper()
	return value[int](b, `SELECT make_finished_days($1)`, ahead)
}

func TestDaysAreMadeAhead(t *testing.T) {
	b := setup(t)
	b.makeDays(7)
	today := b.today()
	for day := range 8 {
		at := today.AddDate(0, 0, day)
		require.Equal(t, leafOf(at), b.leaf(b.finishedAt(at)), "its first moment")
		last := at.AddDate(0, 0, 1).Add(-time.Microsecond)
		require.Equal(t, leafOf(at), b.leaf(b.finishedAt(last)), "its last moment")
	}
	for _, at := range []time.Time{today.AddDate(0, 0, 8), today.Add(-time.Microsecond), time.Unix(0, 0)} {
		require.Equal(t, "finished_jobs_default", b.leaf(b.finishedAt(at)), at)
	}
	require.Zero(t, value[int](b, `SELECT count(*) FROM pg_class WHERE relname LIKE 'finished_jobs\_2%'
		AND relkind = 'r' AND obj_description(oid) IS DISTINCT FROM
		'Jobs finished on ' || to_date(right(relname, 8), 'YYYYMMDD') || ' UTC.'`))
}

func TestDaysAreThoseOfUTCWhateverTheSessionSays(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	_, err := tx.Exec(t.Context(), `SET LOCAL timezone = 'Pacific/Kiritimati'`) // 14 hours ahead
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT make_finished_days(30)`)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	at := b.today().AddDate(0, 0, 30)
	require.Equal(t, leafOf(at), b.leaf(b.finishedAt(at)))
	require.Equal(t, leafOf(at), b.leaf(b.finishedAt(at.Add(24*time.Hour-time.Microsecond))))
	require.Zero(t, b.makeDays(30))
}

func TestJobsOfTheDefaultPartitionMoveToTheirDays(t *testing.T) {
	b := setup(t)
	b.makeDays(7)
	today := b.today()
	at := map[int64]time.Time{}
	for _, day := range []int{-40, -3, 20, 21} {
		for _, hour := range []time.Duration{0, 12, 23} {
			moment := today.AddDate(0, 0, day).Add(hour * time.Hour)
			at[b.finishedAt(moment)] = moment
		}
	}
	later := b.finishedAt(today.AddDate(0, 0, 22))
	before := value[string](b, `SELECT json_agg(f ORDER BY id)::text FROM finished_jobs f`)

	// Of the past, the two days that have jobs; and the fourteen days that were missing.
	require.Equal(t, 2+14, b.makeDays(21))
	for id, moment := range at {
		require.Equal(t, leafOf(moment), b.leaf(id))
	}
	require.Equal(t, "finished_jobs_default", b.leaf(later), "its day is not made yet")
	require.Equal(t, before, value[string](b, `SELECT json_agg(f ORDER BY id)::text
		FROM finished_jobs f`), "nothing else has changed")

	require.Zero(t, b.makeDays(21), "there is nothing left to do")
	require.Equal(t, 1, b.makeDays(22))
	require.Equal(t, leafOf(today.AddDate(0, 0, 22)), b.leaf(later))
	require.Zero(t, value[int](b, `SELECT count(*) FROM finished_jobs_default`))
}

func TestDaysHaveTheIndexOfTheHistory(t *testing.T) {
	b := setup(t)
	b.makeDays(60)
	require.Zero(t, value[int](b, `SELECT count(*) FROM pg_inherits leaf
		WHERE leaf.inhparent = 'finished_jobs'::regclass AND NOT EXISTS (
			SELECT FROM pg_index i JOIN pg_inherits part ON part.inhrelid = i.indexrelid
			 WHERE i.indrelid = leaf.inhrelid AND part.inhparent = 'finished_jobs_id'::regclass)`))
	require.Equal(t, 62, value[int](b, `SELECT count(*) FROM pg_inherits
		WHERE inhparent = 'finished_jobs'::regclass`))
}

func TestDaysAheadHaveBounds(t *testing.T) {
	b := setup(t)
	for _, ahead := range []int{-1, 61, 1 << 30} {
		_, err := b.db.Exec(t.Context(), `SELECT make_finished_days($1)`, ahead)
		var pgErr *pgconn.PgError
		require.ErrorAs(t, err, &pgErr)
		require.Equal(t, "22023", pgErr.Code)
		require.Equal(t, fmt.Sprintf("ahead must be 0 to 60 days, is %d", ahead), pgErr.Message)
	}
}

// Each worker calls it when it starts.
func TestDaysAreMadeOnceByManyAtOnce(t *testing.T) {
	b := setup(t)
	b.makeDays(7)
	b.finishedAt(b.today().AddDate(0, 0, 9))
	type answer struct {
		made int
		err  error
	}
	answers := make(chan answer)
	const many = 8
	for range many {
		go func() {
			var a answer
			a.err = b.db.QueryRow(t.Context(), `SELECT make_finished_days(10)`).Scan(&a.made)
			answers <- a
		}()
	}
	made := 0
	for range many {
		a := receive(t, answers)
		require.NoError(t, a.err)
		made += a.made
	}
	require.Equal(t, 3, made)
}

func TestDaysAreMadeBesideAFinishUnderWay(t *testing.T) {
	b := setup(t)
	b.makeDays(7)
	tx := b.begin(pgx.TxOptions{})
	_, err := tx.Exec(t.Context(), `INSERT INTO finished_jobs (`+queue.Carried+`, state)
		VALUES (1, now(), now(), 1, now(), 1, 2, 1, 1, 0, 'note', 'q', '{}', NULL, NULL, NULL, NULL,
		'completed')`)
	require.NoError(t, err)
	require.Equal(t, 1, b.makeDays(8), "neither waits for the other")
	require.NoError(t, tx.Commit(t.Context()))
}

// Whoever may create temporary tables may not have them taken for ours.
func TestDaysAreNotMadeOfTemporaryTables(t *testing.T) {
	b := setup(t)
	b.makeDays(7)
	id := b.finishedAt(b.today().AddDate(0, 0, 8))
	tx := b.begin(pgx.TxOptions{})
	_, err := tx.Exec(t.Context(), `
		CREATE TEMPORARY TABLE finished_jobs_default (finished_at date) ON COMMIT DROP;
		CREATE TEMPORARY TABLE finished_jobs (finished_at date) ON COMMIT DROP;
		SELECT make_finished_days(8)`)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, leafOf(b.today().AddDate(0, 0, 8)), b.leaf(id))
}
