package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// sqlState returns the SQLSTATE of an error from Postgres.
func sqlState(t *testing.T, err error) string {
	t.Helper()
	var pgErr *pgconn.PgError
	require.True(t, errors.As(err, &pgErr), "%v", err)
	return pgErr.Code
}

func TestJobEnqueuedBySQLRunsAsOneOfGo(t *testing.T) {
	b := setup(t)
	said := make(chan string, 1)
	b.failWith(func(job *queue.Job[Note]) error { said <- job.Args.Text; return nil })
	b.run()
	id := value[int64](b, `SELECT enqueue_job('note', '{"text": "from SQL"}')`)
	require.Equal(t, "from SQL", receive(t, said))
	job := b.until(id, queue.StateCompleted)
	require.Equal(t, 26, job.MaxAttempts)
	require.Equal(t, 2, job.Priority)
}

func TestEnqueueJobSaysWhatInsertSays(t *testing.T) {
	b := setup(t)
	id := value[int64](b, `
SELECT enqueue_job('note', '{}', queue => 'other', run_at => now() + interval '1 h', priority => 1,
                   max_attempts => 3, unique_key => 'k')`)
	job, err := b.q.Get(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Equal(t, [4]any{"other", 1, 3, "k"}, [4]any{job.Queue, job.Priority, job.MaxAttempts, job.Unique})
	require.InDelta(t, time.Hour, job.RunAt.Sub(job.CreatedAt), float64(time.Minute))
	require.Equal(t, id, value[int64](b, `SELECT enqueue_job('note', unique_key => 'k')`), "the holder")
	existing, err := b.q.Insert(t.Context(), b.db, queue.With{Args: Note{}, Unique: "k"})
	require.NoError(t, err)
	require.Equal(t, queue.Insertion{ID: id, Outcome: queue.Existing}, existing)
	b.exec(`SELECT enqueue_job('note', (repeat('[{"a":', 50) || 1 || repeat('}]', 50))::jsonb)`)
	b.exec(`SELECT enqueue_job('note', (repeat('[', 100) || 1 || repeat(']', 100))::jsonb)`)
	past := value[int64](b, `SELECT enqueue_job('note', run_at => '-infinity')`)
	require.False(t, value[bool](b, `SELECT run_at < created_at - interval '1 s' FROM jobs WHERE id = $1`, past))
}

func TestEnqueueJobRefusesWhatInsertRefuses(t *testing.T) {
	b := setup(t)
	long := strings.Repeat("x", 300)
	deep := `(repeat('[{"a":', 50) || '[]' || repeat('}]', 50))::jsonb`
	for call, want := range map[string]string{
		`enqueue_job(NULL)`:                                   "kind must be",
		`enqueue_job(' ')`:                                    "kind must be",
		`enqueue_job('` + long + `')`:                         "kind must be",
		`enqueue_job('note', queue => '')`:                    "queue must be",
		`enqueue_job('note', NULL)`:                           "args must not be NULL",
		`enqueue_job('note', ` + deep + `)`:                   "args must not be nested deeper than 100",
		`enqueue_job('note', '1e100000', priority => 2)`:      "",
		`enqueue_job('note', to_jsonb(repeat('x', 1048575)))`: "args must have at most",
		`enqueue_job('note', priority => 0)`:                  "priority must be from 1 to 4",
		`enqueue_job('note', max_attempts => 1001)`:           "max_attempts must be from 1 to 1000",
		`enqueue_job('note', unique_key => '')`:               "unique_key must have 1 to 256 bytes",
		`enqueue_job('note', unique_key => '` + long + `')`:   "unique_key must have 1 to 256 bytes",
		`enqueue_job('note', run_at => 'infinity')`:           "run_at must be before",
	} {
		_, err := b.db.Exec(t.Context(), `SELECT `+call)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want, call)
		require.Equal(t, "22023", sqlState(t, err), call)
	}
	require.Equal(t, 1, value[int](b, `SELECT count(*) FROM jobs`))
}

func TestRetryAndCancelBySQLAnswerByStateOrError(t *testing.T) {
	b := setup(t)
	for _, state := range everyState {
		for _, verb := range []string{"retry_job", "cancel_job"} {
			id := b.inState(state, Note{})
			var left queue.State
			err := b.db.QueryRow(t.Context(), `SELECT `+verb+`($1)`, id).Scan(&left)
			_, goErr := b.q.Cancel(t.Context(), b.db, b.inState(state, Note{}))
			if verb == "retry_job" {
				goErr = b.q.Retry(t.Context(), b.db, b.inState(state, Note{}))
			}
			if goErr == nil {
				require.NoError(t, err, "%s of a %s job", verb, state)
				continue
			}
			require.Equal(t, "RL409", sqlState(t, err), "%s of a %s job", verb, state)
			require.ErrorContains(t, err, "it is "+string(state))
		}
	}
	_, err := b.db.Exec(t.Context(), `SELECT retry_job($1)`, 999)
	require.Equal(t, "RL404", sqlState(t, err))
	dead := b.inState(queue.StateDead, queue.With{Args: Note{}, Unique: "k"})
	b.insert(queue.With{Args: Note{}, Unique: "k"})
	_, err = b.db.Exec(t.Context(), `SELECT retry_job($1)`, dead)
	require.ErrorContains(t, err, "holds its unique key")
}

func TestPauseBySQLIsPauseByGo(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	b.exec(`SELECT pause_queue($1)`, "default")
	id := b.insert(Note{})
	b.run()
	require.Equal(t, "paused", value[string](b, `SELECT why FROM waiting_jobs WHERE id = $1`, id))
	b.exec(`SELECT resume_queue($1)`, "default")
	b.until(id, queue.StateCompleted)
	_, err := b.db.Exec(t.Context(), `SELECT pause_queue($1)`, "no queue")
	require.Equal(t, "23514", sqlState(t, err))
}

// A trigger enqueues in the transaction that fires it.
func TestTriggerEnqueues(t *testing.T) {
	b := setupEffects(t)
	b.exec(`CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		PERFORM enqueue_job('note', jsonb_build_object('text', NEW.job)); RETURN NULL; END $$`)
	b.exec(`CREATE TRIGGER follow AFTER INSERT ON effects FOR EACH ROW EXECUTE FUNCTION follow()`)
	tx, err := b.db.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), effect, 1)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	require.Zero(t, value[int](b, `SELECT count(*) FROM jobs`))
	b.exec(effect, 2)
	require.Equal(t, "2", value[string](b, `SELECT args->>'text' FROM jobs`))
}

// Somebody's tables of our names, ahead in the search_path, are not used.
func TestFunctionsKeepTheirSchema(t *testing.T) {
	b := setup(t)
	conn, err := b.db.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for _, sql := range []string{
		`CREATE SCHEMA hostile`, `CREATE TABLE hostile.jobs (id bigint, state text)`,
		`CREATE TEMP TABLE finished_jobs (id bigint)`,
		`SET search_path = hostile, pg_temp, public`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	var id int64
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT public.enqueue_job('note')`).Scan(&id))
	_, err = conn.Exec(t.Context(), `SELECT public.cancel_job($1)`, id)
	require.NoError(t, err)
	b.until(id, queue.StateCancelled)
}

func TestViewsTellWhyJobsWait(t *testing.T) {
	b := setup(t)
	b.exec(`SELECT pause_queue('off')`)
	ids := map[string]int64{
		"ready":     b.insert(Note{}),
		"scheduled": b.insert(queue.With{Args: Note{}, Delay: time.Hour}),
		"retrying":  b.insert(queue.With{Args: Note{}, Delay: time.Hour}),
		"paused":    b.insert(queue.With{Args: Note{}, Queue: "off"}),
	}
	b.exec(`UPDATE jobs SET attempt = 1 WHERE id = $1`, ids["retrying"])
	for why, id := range ids {
		require.Equal(t, why, value[string](b, `SELECT why FROM waiting_jobs WHERE id = $1`, id))
	}
	b.exec(`UPDATE jobs SET run_at = now() - interval '1 h' WHERE run_at <= now()`)
	stuck := func(id int64) string {
		return value[string](b, `SELECT why FROM stuck_jobs WHERE id = $1`, id)
	}
	require.Equal(t, "no worker works its queue", stuck(ids["ready"]))
	require.Equal(t, "its queue is paused", stuck(ids["paused"]))
	b.hold(ids["scheduled"], 12345)
	require.Equal(t, "its worker is gone, and no other has claimed it", stuck(ids["scheduled"]))
	require.Equal(t, 3, value[int](b, `SELECT count(*) FROM stuck_jobs`))
	require.Equal(t, "1 0 1 1", value[string](b, `
SELECT concat_ws(' ', ready, scheduled, retrying, running) FROM queue_stats WHERE queue = 'default'`))
}

// Only a raw INSERT can store such args. encoding/json does not read them, and they
// hold up nothing.
func TestArgsTooDeepForAnyClientHoldUpNothing(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return nil })
	id := value[int64](b, `INSERT INTO jobs (kind, args)
		VALUES ('note', (repeat('[', 10001) || repeat(']', 10001))::jsonb) RETURNING id`)
	good := b.insert(Note{})
	b.run()
	b.until(good, queue.StateCompleted)
	require.Len(t, b.until(id, queue.StateDead).Args, 2*10001)
	for job, err := range b.q.List(t.Context(), b.db, queue.Filter{}) {
		require.NoError(t, err)
		require.NotZero(t, job.ID)
	}
}
