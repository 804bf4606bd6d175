package queue_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// atOnce is how many jobs a batch holds before it sends them.
const atOnce = 5000

// notes returns n jobs that say their number.
func notes(n int) []queue.Args {
	jobs := make([]queue.Args, n)
	for i := range jobs {
		jobs[i] = Note{Text: fmt.Sprint(i)}
	}
	return jobs
}

// batch inserts jobs through db.
func (b *bench) batch(db queue.DB, jobs ...queue.Args) []queue.Insertion {
	b.t.Helper()
	made, err := b.q.InsertBatch(b.t.Context(), db, queue.Each(jobs))
	require.NoError(b.t, err)
	require.Len(b.t, made, len(jobs))
	return made
}

// Conformance 39 and 42.
func TestBatchAnswersForEachJobInItsPlace(t *testing.T) {
	b := setup(t)
	start := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	jobs := notes(2*atOnce + 1)
	for i := range jobs {
		jobs[i] = queue.With{Args: jobs[i], RunAt: start.Add(time.Duration(i) * time.Hour)}
	}
	var last int64
	made := b.batch(b.db, jobs...)
	for _, m := range made {
		require.Equal(t, queue.Inserted, m.Outcome)
		require.Greater(t, m.ID, last)
		last = m.ID
	}
	rows, err := b.db.Query(t.Context(), `SELECT id, args->>'text', run_at FROM jobs ORDER BY id`)
	require.NoError(t, err)
	var (
		i     int
		id    int64
		text  string
		runAt time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &text, &runAt}, func() error {
		require.Equal(t, made[i].ID, id)
		require.Equal(t, fmt.Sprint(i), text)
		require.True(t, start.Add(time.Duration(i)*time.Hour).Equal(runAt), "%d: %v", i, runAt)
		i++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, len(jobs), i)
}

// Conformance 41.
func TestBatchOfNoJobsIsNoError(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	require.Empty(t, b.batch(b.db))
	require.Empty(t, b.batch(tx))
	require.NoError(t, tx.Commit(t.Context()))
}

func TestBatchHoldsEverySortOfJob(t *testing.T) {
	b := setup(t)
	held := b.insert(queue.With{Args: Note{Text: "holder"}, Unique: "held"})
	keyed := func(args queue.Args, key string) queue.Args {
		return queue.With{Args: args, Unique: key, Queue: "keyed", Priority: 4, MaxAttempts: 1}
	}
	made := b.batch(b.db,
		Note{Text: "plain"},               // 0
		keyed(Note{Text: "first"}, "z"),   // 1
		Report{Name: "defaults"},          // 2
		keyed(Note{Text: "second"}, "z"),  // 3: the batch has it already
		&Audit{},                          // 4
		keyed(Note{Text: "held"}, "held"), // 5: the table has it already
		keyed(&Audit{}, "held"),           // 6: another kind's
		keyed(Note{Text: "a"}, "a"),       // 7
		Report{Name: "defaults"},          // 8: as 2
		Note{Text: "plain"},               // 9
	)
	outcomes := make([]string, len(made))
	for i, m := range made {
		outcomes[i] = string(m.Outcome)
	}
	require.Equal(t, "inserted inserted inserted existing inserted existing inserted inserted "+
		"existing inserted", strings.Join(outcomes, " "))
	require.Equal(t, made[1].ID, made[3].ID)
	require.Equal(t, held, made[5].ID)
	require.Equal(t, made[2].ID, made[8].ID)
	stored := func(i int) string {
		return value[string](b, `SELECT concat_ws(' ', kind, queue, priority, max_attempts,
			unique_key, args->>'text') FROM jobs WHERE id = $1`, made[i].ID)
	}
	for i, want := range map[int]string{
		0: "note default 2 26 plain",
		1: "note keyed 4 1 z first",
		2: "report reports 3 7 defaults",
		4: "audit audits 2 26",
		5: "note default 2 26 held holder",
		6: "audit keyed 4 1 held",
		7: "note keyed 4 1 a a",
		9: "note default 2 26 plain",
	} {
		require.Equal(t, want, stored(i), i)
	}
	require.Equal(t, 8, value[int](b, `SELECT count(*) FROM jobs`))
}

func TestKeyIsHeldAcrossTheStatementsOfABatch(t *testing.T) {
	b := setup(t)
	jobs := notes(2*atOnce + 10)
	for _, i := range []int{3, atOnce + 3, 2*atOnce + 3} {
		jobs[i] = queue.With{Args: jobs[i], Unique: "k"}
	}
	made := b.batch(b.db, jobs...)
	for _, i := range []int{atOnce + 3, 2*atOnce + 3} {
		require.Equal(t, queue.Insertion{ID: made[3].ID, Outcome: queue.Existing}, made[i])
	}
	require.Equal(t, len(jobs)-2, value[int](b, `SELECT count(*) FROM jobs`))
}

func TestBatchIsSplitByBytesToo(t *testing.T) {
	b := setup(t)
	text := strings.Repeat("x", 1<<20-100)
	b.batch(b.db, slices.Repeat([]queue.Args{Note{Text: text}}, 9)...)
	require.Equal(t, 9, value[int](b, `SELECT count(*) FROM jobs WHERE args->>'text' = $1`, text))
	// Rows of one transaction have one xmin, and those of one statement have one cmin.
	require.Equal(t, 2, value[int](b, `SELECT count(DISTINCT cmin::text) FROM jobs`))
}

// Conformance 145.
func TestBadJobsOfABatchAreNamedAndNothingIsStored(t *testing.T) {
	b := setup(t)
	jobs, want := notes(atOnce+500), []int(nil)
	for i := range jobs {
		if i == 7 || i >= atOnce+100 && i%2 == 0 { // one before a statement is sent, and many
			jobs[i] = queue.With{Args: jobs[i], Priority: 5}
			want = append(want, i)
		}
	}
	made, err := b.q.InsertBatch(t.Context(), b.db, queue.Each(jobs))
	require.Nil(t, made)
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%T", err)
	var got []int
	for _, err := range joined.Unwrap() {
		var invalid *queue.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, "Priority", invalid.Field)
		require.EqualError(t, err, fmt.Sprintf(
			"queue: job %d of the batch: Priority must be from 1 to 4, is 5", invalid.Index))
		got = append(got, invalid.Index)
	}
	require.Equal(t, want[:100], got, "the first hundred")
	require.Empty(t, b.live())
}

// Conformance 43: among the bad ones are those of an invalid time.
func TestBadJobIsAsBadInABatch(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	for what, bad := range badJobs() {
		_, err := b.q.InsertBatch(t.Context(), tx, queue.Each([]queue.Args{Note{}, bad.args}))
		var invalid *queue.InvalidError
		require.ErrorAs(t, err, &invalid, what)
		require.Equal(t, 1, invalid.Index, what)
		require.Contains(t, invalid.Reason, bad.reason, what)
	}
	b.batch(tx, Note{Text: "good"})
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{"good"}, b.live())
}

var errSource = errors.New("the source is dry")

// failsAfter yields n jobs and then an error.
func failsAfter(n int) iter.Seq2[queue.Args, error] {
	return func(yield func(queue.Args, error) bool) {
		for _, job := range notes(n) {
			if !yield(job, nil) {
				return
			}
		}
		yield(nil, errSource)
	}
}

// Conformance 53.
func TestBatchIsAllOrNone(t *testing.T) {
	held := queue.With{Args: Note{Text: "held"}, Unique: "k"}
	for what, c := range map[string]struct {
		jobs iter.Seq2[queue.Args, error]
		want func(t *testing.T, err error)
	}{
		"the iterator fails": {failsAfter(atOnce + 500), func(t *testing.T, err error) {
			require.Equal(t, errSource, err, "it is the caller's own")
		}},
		"the last job is bad": {
			queue.Each(append(notes(atOnce+500), queue.With{})),
			func(t *testing.T, err error) {
				var invalid *queue.InvalidError
				require.ErrorAs(t, err, &invalid)
				require.Equal(t, atOnce+500, invalid.Index)
			},
		},
		"Postgres refuses": {
			queue.Each(append(notes(atOnce+500), held)),
			func(t *testing.T, err error) {
				var pgErr *pgconn.PgError
				require.ErrorAs(t, err, &pgErr)
				require.Equal(t, "40001", pgErr.Code)
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := setup(t)
			tx := b.begin(pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			_, err := b.q.Insert(t.Context(), tx, Note{Text: "before"})
			require.NoError(t, err)
			b.insert(held)
			_, err = b.q.InsertBatch(t.Context(), tx, c.jobs)
			c.want(t, err)
			_, err = b.q.Insert(t.Context(), tx, Note{Text: "after"})
			require.NoError(t, err, "the transaction lives on")
			require.NoError(t, tx.Commit(t.Context()))
			require.ElementsMatch(t, []string{"before", "held", "after"}, b.live())
		})
	}
}

// A connection that a failed batch leaves in a transaction would be another's.
func TestFailedBatchLeavesTheConnectionClean(t *testing.T) {
	b := setup(t)
	conn, err := b.db.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for what, db := range map[string]queue.DB{
		"the pool": b.db, "a connection of it": conn, "a bare one": conn.Conn(),
	} {
		_, err := b.q.InsertBatch(t.Context(), db, failsAfter(atOnce+500))
		require.ErrorIs(t, err, errSource, what)
		require.Panics(t, func() {
			_, _ = b.q.InsertBatch(t.Context(), db, func(yield func(queue.Args, error) bool) {
				yield(Note{}, nil)
				panic("a bug of the iterator's")
			})
		}, what)
		require.EqualValues(t, 'I', conn.Conn().PgConn().TxStatus(), what)
		require.EqualValues(t, 1, b.db.Stat().AcquiredConns(), what)
		require.Empty(t, b.live(), what)
	}
	b.batch(conn, Note{Text: "pooled"})
	b.batch(conn.Conn(), Note{Text: "bare"})
	require.Equal(t, []string{"pooled", "bare"}, b.live())
}

func TestBatchWhoseContextEndsLeavesNothing(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	for _, db := range []queue.DB{b.db, tx} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := b.q.InsertBatch(ctx, db, func(yield func(queue.Args, error) bool) {
			for i, job := range notes(2 * atOnce) {
				if i == atOnce+700 { // one statement is through
					cancel()
				}
				if !yield(job, nil) {
					return
				}
			}
		})
		require.ErrorIs(t, err, context.Canceled)
	}
	b.batch(tx, Note{Text: "the transaction lives on"})
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{"the transaction lives on"}, b.live())
}

// A onlyThree has pgx's three verbs and nothing else.
type onlyThree struct{ queue.DB }

func TestBatchNeedsATransaction(t *testing.T) {
	b := setup(t)
	_, err := b.q.Insert(t.Context(), onlyThree{b.db}, Note{Text: "one"})
	require.NoError(t, err)
	_, err = b.q.InsertBatch(t.Context(), onlyThree{b.db}, queue.Each(notes(1)))
	require.EqualError(t, err, "insert batch: a queue_test.onlyThree has no Begin")
	require.Equal(t, []string{"one"}, b.live())
}

// Batches that take the same keys in another order wait for each other.
func TestBatchesWithTheSameKeysDoNotDeadlock(t *testing.T) {
	b := setup(t)
	jobs := notes(500)
	for i := range jobs {
		jobs[i] = queue.With{Args: jobs[i], Unique: fmt.Sprint("k", i)}
	}
	backwards := slices.Clone(jobs)
	slices.Reverse(backwards)
	for range 3 {
		results := make(chan []queue.Insertion, 4)
		failures := make(chan error, 4)
		for _, batch := range [][]queue.Args{jobs, backwards, jobs, backwards} {
			go func() {
				made, err := b.q.InsertBatch(t.Context(), b.db, queue.Each(batch))
				failures <- err
				results <- made
			}()
		}
		inserted := 0
		for range 4 {
			require.NoError(t, receive(t, failures))
			for _, made := range receive(t, results) {
				if made.Outcome == queue.Inserted {
					inserted++
				}
			}
		}
		require.Equal(t, len(jobs), inserted)
		require.Equal(t, len(jobs), value[int](b, `WITH gone AS (DELETE FROM jobs RETURNING 1)
			SELECT count(*) FROM gone`))
	}
}
