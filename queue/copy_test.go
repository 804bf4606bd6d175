package queue_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// copies is a pgx tracer that counts COPYs and other statements.
type copies struct{ copies, statements int }

func (c *copies) TraceCopyFromStart(
	ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData,
) context.Context {
	c.copies++
	return ctx
}

func (*copies) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

func (c *copies) TraceQueryStart(
	ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData,
) context.Context {
	c.statements++
	return ctx
}

func (*copies) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// traced returns a connection to b's database, as user if that is not "", and what
// counts its statements.
func (b *bench) traced(user string, mode pgx.QueryExecMode) (*pgx.Conn, *copies) {
	b.t.Helper()
	config, err := pgx.ParseConfig(pgtest.URL(b.db))
	require.NoError(b.t, err)
	if user != "" {
		config.RuntimeParams["role"] = user
	}
	config.DefaultQueryExecMode = mode
	count := &copies{}
	config.Tracer = count
	conn, err := pgx.ConnectConfig(b.t.Context(), config)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn, count
}

func TestPlainJobsAreCopiedFromAThousandOn(t *testing.T) {
	b := setup(t)
	conn, count := b.traced("", pgx.QueryExecModeCacheStatement)
	for _, c := range []struct {
		plain, keyed       int
		copies, statements int // BEGIN, the bell and COMMIT are three of them
	}{
		{plain: 999, copies: 0, statements: 4},
		{plain: 1000, copies: 1, statements: 4},
		{plain: 1000, keyed: 1, copies: 1, statements: 5},
		{plain: 999, keyed: 1000, copies: 0, statements: 4},
		{plain: 5500, copies: 1, statements: 5}, // 5,000 and the rest
		{plain: 10000, copies: 2, statements: 5},
	} {
		b.exec(`TRUNCATE jobs`)
		jobs := notes(c.plain)
		for i := range c.keyed {
			jobs = append(jobs, queue.With{Args: Note{}, Unique: fmt.Sprint(i)})
		}
		*count = copies{}
		b.batch(conn, jobs...)
		require.Equal(t, copies{c.copies, c.statements}, *count, "%+v", c)
	}
}

// A job is the same row whichever way it went in, and is answered for in its place.
func TestCopiedJobsAreAsTheOthers(t *testing.T) {
	b := setup(t)
	b.q.BeforeInsert = func(_ context.Context, job *queue.With) error {
		if note, ok := job.Args.(Note); ok && note.Text == "skip" {
			return queue.ErrSkip
		}
		return nil
	}
	future := time.Date(2100, 1, 2, 3, 4, 5, 678901000, time.FixedZone("", 3600))
	sorts := []queue.Args{
		Note{Text: "plain"},
		queue.With{Args: Note{Text: "all"}, Queue: "q/1", Priority: 1, MaxAttempts: 1000},
		queue.With{Args: Note{Text: "future"}, RunAt: future},
		queue.With{Args: Note{Text: "future and delay"}, RunAt: future, Delay: 90 * time.Minute},
		queue.With{Args: Note{Text: "past"}, RunAt: time.Unix(1, 0)},
		queue.With{Args: Note{Text: "past and delay"}, RunAt: time.Unix(1, 0), Delay: time.Hour},
		queue.With{Args: Note{Text: "delay"}, Delay: time.Hour},
		queue.With{Args: Note{Text: "negative delay"}, Delay: -time.Hour},
		Note{Text: `"quotes", tab	, \N, ü 🦀 and newline` + "\n"},
		Note{Text: "skip"},
		&Audit{},
	}
	var many []queue.Args
	for len(many) < 1500 {
		many = append(many, sorts...)
	}
	const storedSQL = `
SELECT concat_ws(' ', kind, queue, state, priority, attempt, max_attempts, lost_count, args, unique_key,
         CASE WHEN run_at > now() THEN date_trunc('hour', run_at) ELSE 'epoch' END)
  FROM jobs WHERE id = $1`
	few := b.batch(b.db, sorts...)
	made := b.batch(b.db, many...)
	now := value[time.Time](b, `SELECT clock_timestamp()`)
	last := few[len(few)-1].ID
	for i, m := range made {
		like := few[i%len(sorts)]
		require.Equal(t, like.Outcome, m.Outcome)
		if m.Outcome == queue.Skipped {
			require.Zero(t, m.ID)
			continue
		}
		require.Greater(t, m.ID, last, "ids are in the order of the batch")
		last = m.ID
		if i < 2*len(sorts) { // the rest is more of the same
			require.Equal(t, value[string](b, storedSQL, like.ID), value[string](b, storedSQL, m.ID))
		}
	}
	require.Equal(t, len(made)-len(made)/len(sorts), value[int](b, `
SELECT count(*) FROM jobs WHERE id > $1 AND created_at <= $2`, few[len(few)-1].ID, now))
	require.Zero(t, value[int](b, `
SELECT count(*) FROM jobs
 WHERE args->>'text' IN ('plain', 'past', 'negative delay', 'all')
   AND run_at NOT BETWEEN created_at - interval '1 min' AND $1`, now), "due at once")
	require.Equal(t, future.Add(90*time.Minute).UTC(), value[time.Time](b, `
SELECT run_at FROM jobs WHERE id = $1`, made[3].ID).UTC())
}

// An open transaction of the caller's, a pooler's protocol and a kept connection.
func TestCopyWorksWhereverABatchDoes(t *testing.T) {
	b := setup(t)
	b.exec(`ALTER TABLE jobs ADD CONSTRAINT strange CHECK (args->>'text' <> 'strange')`)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		b.exec(`TRUNCATE jobs`)
		conn, count := b.traced("", mode)
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		b.batch(tx, notes(1000)...)
		_, err = b.q.InsertBatch(t.Context(), tx,
			queue.Each(append(notes(1000), Note{Text: "strange"})))
		require.ErrorContains(t, err, "strange")
		b.batch(tx, notes(1000)...) // the transaction outlives it
		require.NoError(t, tx.Commit(t.Context()))
		require.Equal(t, 3, count.copies)
		require.Equal(t, 2000, value[int](b, `SELECT count(*) FROM jobs`), mode)
	}
}

// Some roles may insert and not draw ids, and row-level security rules out COPY.
func TestLongBatchNeedsNoMoreRightsThanAShortOne(t *testing.T) {
	b := setup(t)
	role := "clerk_" + time.Now().Format("150405_000000000")
	b.exec(`CREATE ROLE ` + role)
	t.Cleanup(func() {
		_, err := b.db.Exec(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role)
		require.NoError(t, err)
	})
	b.exec(`GRANT USAGE ON SCHEMA public TO ` + role)
	b.exec(`GRANT INSERT, SELECT ON jobs TO ` + role)
	conn, count := b.traced(role, pgx.QueryExecModeCacheStatement)
	b.batch(conn, notes(1)...)
	b.batch(conn, notes(1000)...)
	require.Zero(t, count.copies)

	b.exec(`GRANT USAGE ON SEQUENCE jobs_id_seq TO ` + role)
	b.batch(conn, notes(1000)...)
	require.Equal(t, 1, count.copies)

	b.exec(`ALTER TABLE jobs ENABLE ROW LEVEL SECURITY`)
	b.exec(`CREATE POLICY everyone ON jobs USING (true)`)
	b.batch(conn, notes(1000)...)
	require.Equal(t, 1, count.copies)
	require.Equal(t, 3001, value[int](b, `SELECT count(*) FROM jobs`))
}

// The ids that are drawn show from another connection how far the batch has come.
func TestBatchHoldsAtMostAFewThousandJobs(t *testing.T) {
	b := setup(t)
	const total = 30_000
	ahead := 0
	made, err := b.q.InsertBatch(t.Context(), b.db, func() iter.Seq2[queue.Args, error] {
		return func(yield func(queue.Args, error) bool) {
			for i := range total {
				if i%2500 == 2499 {
					drawn := value[int](b, `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM jobs_id_seq`)
					ahead = max(ahead, i-drawn)
				}
				if !yield(Note{}, nil) {
					return
				}
			}
		}
	}())
	require.NoError(t, err)
	require.Len(t, made, total)
	require.Positive(t, ahead)
	require.LessOrEqual(t, ahead, 10_000, "one chunk on its way, and the next")
}

func TestBatchThatEndsWithAChunkOnItsWayStoresNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("no more")
	ends := map[string]func(yield func(queue.Args, error) bool){
		"error":   func(yield func(queue.Args, error) bool) { yield(nil, broken) },
		"bad job": func(yield func(queue.Args, error) bool) { yield(queue.With{Args: Note{}, Queue: "?"}, nil) },
		"panic":   func(func(queue.Args, error) bool) { panic(broken) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			insert := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = p.(error)
					}
				}()
				_, err = b.q.InsertBatch(t.Context(), b.db, func(yield func(queue.Args, error) bool) {
					for range 5001 { // one more than a chunk
						if !yield(Note{}, nil) {
							return
						}
					}
					end(yield)
				})
				return err
			}
			require.Error(t, insert())
			require.Zero(t, value[int](b, `SELECT count(*) FROM jobs`))
			require.Zero(t, b.db.Stat().AcquiredConns(), "the connection is back in the pool")
		})
	}
}
