package queue_test

import (
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// begin starts a transaction that ends with the test at the latest.
func (b *bench) begin(options pgx.TxOptions) pgx.Tx {
	b.t.Helper()
	tx, err := b.db.BeginTx(b.t.Context(), options)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = tx.Rollback(b.t.Context()) })
	return tx
}

// live returns what the live jobs of kind note say, by id.
func (b *bench) live() []string {
	b.t.Helper()
	return value[[]string](b, `SELECT coalesce(array_agg(args->>'text' ORDER BY id), '{}')
		FROM jobs WHERE kind = 'note'`)
}

// Conformance 53.
func TestJobExistsIfAndOnlyIfItsTransactionCommits(t *testing.T) {
	b := setup(t)
	for _, text := range []string{"committed", "rolled back"} {
		tx := b.begin(pgx.TxOptions{})
		made, err := b.q.Insert(t.Context(), tx, Note{Text: text})
		require.NoError(t, err)
		require.Equal(t, queue.Inserted, made.Outcome)
		job, err := b.q.Get(t.Context(), tx, made.ID)
		require.NoError(t, err, "its own transaction sees it")
		require.Equal(t, queue.StateQueued, job.State)
		_, err = b.q.Get(t.Context(), b.db, made.ID)
		require.ErrorIs(t, err, queue.ErrNotFound, "nobody else does")
		if text == "committed" {
			require.NoError(t, tx.Commit(t.Context()))
		} else {
			require.NoError(t, tx.Rollback(t.Context()))
		}
	}
	require.Equal(t, []string{"committed"}, b.live())
}

func TestInsertBelongsToTheSavepointItIsIn(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	savepoint, err := tx.Begin(t.Context())
	require.NoError(t, err)
	_, err = b.q.Insert(t.Context(), savepoint, Note{Text: "inner"})
	require.NoError(t, err)
	require.NoError(t, savepoint.Rollback(t.Context()))
	_, err = b.q.Insert(t.Context(), tx, Note{Text: "outer"})
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{"outer"}, b.live())
}

// Conformance 54.
func TestInsertThroughThePoolDoesNotCareForAnOpenTransaction(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	_, err := b.q.Insert(t.Context(), tx, Note{Text: "through tx"})
	require.NoError(t, err)
	b.insert(Note{Text: "through the pool"})
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, []string{"through the pool"}, b.live())
}

func TestInsertThroughAConnectionIsCommittedAtOnce(t *testing.T) {
	b := setup(t)
	conn, err := b.db.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = b.q.Insert(t.Context(), conn, Note{Text: "of the pool"})
	require.NoError(t, err)
	_, err = b.q.Insert(t.Context(), conn.Conn(), Note{Text: "bare"})
	require.NoError(t, err)
	require.Equal(t, []string{"of the pool", "bare"}, b.live())
}

func TestInsertFillsInTheDefaults(t *testing.T) {
	b := setup(t)
	before := value[time.Time](b, `SELECT clock_timestamp()`)
	made, err := b.q.Insert(t.Context(), b.db, Note{Text: "plain"})
	require.NoError(t, err)
	after := value[time.Time](b, `SELECT clock_timestamp()`)

	job, err := b.q.Get(t.Context(), b.db, made.ID)
	require.NoError(t, err)
	require.WithinRange(t, job.RunAt, before, after)
	require.WithinRange(t, job.CreatedAt, before, after)
	require.JSONEq(t, `{"text":"plain"}`, string(job.Args))
	job.RunAt, job.CreatedAt, job.Args = time.Time{}, time.Time{}, nil
	require.Equal(t, &queue.JobRow{
		ID: made.ID, Kind: "note", Queue: "default", Priority: 2, State: queue.StateQueued,
		MaxAttempts: 26,
	}, job)
}

// Report has defaults of its own for all there is.
type Report struct {
	Name string `json:"name"`
}

func (Report) Kind() string { return "report" }

func (r Report) InsertDefaults() queue.With {
	return queue.With{
		Args: Note{Text: "ignored"}, Queue: "reports", Priority: 3, MaxAttempts: 7,
		Delay: time.Hour, Unique: r.Name,
	}
}

// Daily embeds Report and changes one of its defaults; Weekly changes none.
type (
	Daily  struct{ Report }
	Weekly struct{ Report }
)

func (Daily) Kind() string { return "daily" }

func (d Daily) InsertDefaults() queue.With {
	with := d.Report.InsertDefaults()
	with.Queue = "days"
	return with
}

// Audit has its methods on the pointer.
type Audit struct{}

func (*Audit) Kind() string { return "audit" }

func (*Audit) InsertDefaults() queue.With { return queue.With{Queue: "audits"} }

// Conformance 47 and 141.
func TestWithWinsOverTheKindAndTheKindOverTheDefaults(t *testing.T) {
	b := setup(t)
	of := queue.With{Args: Report{"a"}}
	all := queue.With{Queue: "q", Priority: 1, MaxAttempts: 2, Unique: "u", Args: Report{"b"}}
	byPointer := queue.With{Args: Report{"5"}, Queue: "q"}
	type stored struct {
		kind, queue      string
		priority, budget int
		unique           string
	}
	for name, c := range map[string]struct {
		args queue.Args
		want stored
	}{
		"the kind":               {Report{"1"}, stored{"report", "reports", 3, 7, "1"}},
		"a pointer to it":        {&Report{"2"}, stored{"report", "reports", 3, 7, "2"}},
		"methods on the pointer": {&Audit{}, stored{"audit", "audits", 2, 26, ""}},
		"embedded":               {Weekly{Report{"3"}}, stored{"report", "reports", 3, 7, "3"}},
		"embedded and changed":   {Daily{Report{"4"}}, stored{"daily", "days", 3, 7, "4"}},
		"an empty With":          {of, stored{"report", "reports", 3, 7, "a"}},
		"a full With":            {all, stored{"report", "q", 1, 2, "u"}},
		"a pointer to a With":    {&byPointer, stored{"report", "q", 3, 7, "5"}},
		"a With in a With": {
			queue.With{Priority: 4, Args: &queue.With{Queue: "in", Priority: 1, Args: Report{"6"}}},
			stored{"report", "in", 4, 7, "6"},
		},
	} {
		made, err := b.q.Insert(t.Context(), b.db, c.args)
		require.NoError(t, err, name)
		require.Equal(t, queue.Inserted, made.Outcome, name)
		job, err := b.q.Get(t.Context(), b.db, made.ID)
		require.NoError(t, err, name)
		require.Equal(t, c.want, stored{
			job.Kind, job.Queue, job.Priority, job.MaxAttempts, job.Unique,
		}, name)
		require.NotContains(t, string(job.Args), "Queue", "%s: a With is not what is stored", name)
	}
}

// Conformance 49 and 50.
func TestRunAtCountsFromTheDatabasesClock(t *testing.T) {
	b := setup(t)
	berlin := time.FixedZone("Berlin", 2*60*60)
	future := time.Date(2100, 7, 1, 12, 30, 0, 123_456_789, berlin)
	stored := future.Truncate(time.Microsecond)
	past := time.Date(2000, 1, 1, 0, 0, 0, 0, berlin)
	ancient := time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC)
	hourAgo := value[time.Time](b, `SELECT now() - interval '1 h'`)
	for _, c := range []struct {
		what  string
		runAt time.Time
		delay time.Duration
		at    time.Time     // what is wanted, if it is not
		after time.Duration // this long from the insert on
	}{
		{what: "now"},
		{what: "a delay", delay: time.Hour, after: time.Hour},
		{what: "the longest delay", delay: math.MaxInt64, after: math.MaxInt64},
		{what: "a negative delay", delay: -time.Hour},
		{what: "a future", runAt: future, at: stored},
		{what: "a future, delayed", runAt: future, delay: time.Second, at: stored.Add(time.Second)},
		{what: "a future, negatively delayed", runAt: future, delay: -time.Hour, at: stored},
		{what: "the last microsecond", runAt: lastMicrosecond, at: lastMicrosecond},
		{what: "a past", runAt: past},
		{what: "a past, delayed", runAt: hourAgo, delay: 3 * time.Hour, after: 2 * time.Hour},
		{what: "before the epoch", runAt: time.Unix(-1, 0)},
		{what: "before the year 0", runAt: ancient},
		{what: "before all times", runAt: time.Unix(math.MinInt64, 0)},
	} {
		id := b.insert(queue.With{Args: Note{}, RunAt: c.runAt, Delay: c.delay})
		job, err := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, err, c.what)
		if !c.at.IsZero() {
			require.True(t, c.at.Equal(job.RunAt), "%s: %v", c.what, job.RunAt)
			continue
		}
		// One statement reads the clock for both columns, a moment apart.
		require.WithinDuration(t, job.CreatedAt.Add(c.after), job.RunAt, 10*time.Second, c.what)
	}
}

// lastMicrosecond is the last time that a job can have.
var lastMicrosecond = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)

func TestJobOfThePastIsNotRunBeforeThoseThatAreWaiting(t *testing.T) {
	b := setup(t)
	first := b.insert(Note{Text: "first"})
	past := b.insert(queue.With{Args: Note{}, RunAt: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)})
	require.Equal(t, []int64{first, past},
		value[[]int64](b, `SELECT array_agg(id ORDER BY run_at) FROM jobs`))
}

// The start of a long transaction must not put its jobs before others'.
func TestRunAtIsTheTimeOfTheInsertAndNotOfItsTransaction(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	_, err := tx.Exec(t.Context(), `SELECT 1`)
	require.NoError(t, err)
	other := b.insert(Note{Text: "while it is open"})
	made, err := b.q.Insert(t.Context(), tx, Note{Text: "later in it"})
	require.NoError(t, err)
	before := value[time.Time](b, `SELECT clock_timestamp()`)
	delayed, err := b.q.Insert(t.Context(), tx, queue.With{Args: Note{}, Delay: time.Hour})
	require.NoError(t, err)
	batch, err := b.q.InsertBatch(t.Context(), tx, queue.Each([]queue.With{
		{Args: Note{}, Delay: time.Hour}, {Args: Note{}},
	}))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []int64{other, made.ID, batch[1].ID, delayed.ID, batch[0].ID},
		value[[]int64](b, `SELECT array_agg(id ORDER BY run_at) FROM jobs`))
	for _, id := range []int64{delayed.ID, batch[0].ID} {
		job, err := b.q.Get(t.Context(), b.db, id)
		require.NoError(t, err)
		require.Greater(t, job.RunAt.Sub(before), time.Hour)
	}
}

func TestPastOfABatchIsThePresentToo(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	_, err := tx.Exec(t.Context(), `SELECT 1`)
	require.NoError(t, err)
	before := value[time.Time](b, `SELECT clock_timestamp()`)
	b.batch(tx, queue.With{Args: Note{}, RunAt: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)})
	require.NoError(t, tx.Commit(t.Context()))
	require.True(t, value[time.Time](b, `SELECT run_at FROM jobs`).After(before))
}
