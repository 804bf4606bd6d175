package queue_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// doNothing handles notes.
func doNothing(context.Context, *queue.Job[Note]) error { return nil }

// idle is a handler that can be nil.
type idle struct{}

func (*idle) Handle(context.Context, *queue.Job[Note]) error           { return nil }
func (*idle) HandleTx(context.Context, pgx.Tx, *queue.Job[Note]) error { return nil }

// shortBackoff, longBackoff, and so on have methods that look like optional ones.
type (
	shortBackoff struct{ idle }
	longBackoff  struct{ idle }
	shortTimeout struct{ idle }
)

func (*shortBackoff) Backoff(int, error) time.Duration              { return 0 }
func (*longBackoff) Backoff(int, error, queue.JobRow) time.Duration { return 0 }
func (*shortTimeout) Timeout() time.Duration                        { return 0 }

type (
	blankKind  struct{}
	paniKind   struct{ of *string }
	sturdyKind struct{}
)

func (blankKind) Kind() string   { return "a b" }
func (p paniKind) Kind() string  { return *p.of }
func (*sturdyKind) Kind() string { return "sturdy" }
func anyKind[T queue.Args](w *queue.Worker) {
	queue.HandleFunc(w, func(context.Context, *queue.Job[T]) error { return nil })
}

// A wrongSetup is refused for this field and reason.
type wrongSetup struct {
	what, field, reason string
	set                 func(w *queue.Worker)
}

func wrongHandlers() []wrongSetup {
	const zero, isNil = "of the zero value of queue", "has a handler that is nil"
	const noBackoff = " whose Backoff is no Backoff(int, error, *queue.JobRow) time.Duration"
	const noTimeout = " whose Timeout is no Timeout(*queue.JobRow) time.Duration"
	handle := func(h queue.Handler[Note]) func(*queue.Worker) {
		return func(w *queue.Worker) { queue.Handle(w, h) }
	}
	handleTx := func(h queue.TxHandler[Note]) func(*queue.Worker) {
		return func(w *queue.Worker) { queue.HandleTx(w, h) }
	}
	handleFunc := func(w *queue.Worker) { queue.HandleFunc[Note](w, nil) }
	twice := func(w *queue.Worker) {
		queue.HandleFunc(w, doNothing)
		queue.HandleTx(w, queue.TxHandler[Note](&idle{}))
	}
	return []wrongSetup{
		{"none", "Worker", "must have a handler: see Handle", func(*queue.Worker) {}},
		{"two of a kind", "kind note", "has two handlers", twice},
		{"nil", "kind note", isNil, handle(nil)},
		{"a nil pointer", "kind note", isNil, handle((*idle)(nil))},
		{"a nil function", "kind note", isNil, handleFunc},
		{"a nil TxHandler", "kind note", isNil, handleTx(nil)},
		{"a nil pointer, in tx", "kind note", isNil, handleTx((*idle)(nil))},
		{"a short Backoff", "kind note", "shortBackoff" + noBackoff, handle(&shortBackoff{})},
		{"a Backoff in tx", "kind note", "longBackoff" + noBackoff, handleTx(&longBackoff{})},
		{"a short Timeout", "kind note", "shortTimeout" + noTimeout, handle(&shortTimeout{})},
		{"a kind out of form", "Kind", "of queue_test.blankKind must be", anyKind[blankKind]},
		{"a kind that panics", "Kind", zero + "_test.paniKind panicked", anyKind[paniKind]},
		{"no kind", "Kind", zero + ".Args panicked", anyKind[queue.Args]},
		{"a With", "Kind", zero + ".With panicked", anyKind[queue.With]},
	}
}

func wrongFields() []wrongSetup {
	type q = queue.Queue
	set := func(f func(w *queue.Worker)) func(*queue.Worker) {
		return func(w *queue.Worker) {
			queue.HandleFunc(w, doNothing)
			f(w)
		}
	}
	queues := func(queues ...q) func(w *queue.Worker) {
		return set(func(w *queue.Worker) { w.Queues = append([]q{}, queues...) })
	}
	lease := func(d time.Duration) func(w *queue.Worker) {
		return set(func(w *queue.Worker) { w.Lease = d })
	}
	const many = "have 5 slots, but DB has 4 connections, and each job of kind note holds one " +
		"(HandleTx): lower the slots or raise MaxConns of the pool"
	tooMany := func(w *queue.Worker) {
		queue.HandleTx(w, queue.TxHandler[Note](&idle{}))
		w.Queues = []q{{"a", 2}, {"b", 3}}
	}
	return []wrongSetup{
		{"no database", "DB", "must not be nil", set(func(w *queue.Worker) { w.DB = nil })},
		{"no queue", "Queues", "must be nil or name a queue", queues()},
		{"no slots", "Queues[1].Slots", "from 1 to 1000000, is 0", queues(q{"a", 1}, q{"b", 0})},
		{"negative slots", "Queues[0].Slots", "from 1 to 1000000, is -1", queues(q{"a", -1})},
		{"slots without end", "Queues[0].Slots", "is 1000001", queues(q{"a", 1_000_001})},
		{"twice", "Queues[2].Name", "a is there twice", queues(q{"a", 1}, q{"b", 1}, q{"a", 1})},
		{"no name", "Queues[1].Name", "must not be empty", queues(q{"a", 1}, q{"", 1})},
		{"a blank", "Queues[0].Name", `is "a b"`, queues(q{"a b", 1})},
		{"no timeout", "StopTimeout", "must not be negative", set(func(w *queue.Worker) {
			w.StopTimeout = -time.Second
		})},
		{"no retention", "Retention", "must not be negative", set(func(w *queue.Worker) {
			w.Retention = -time.Second
		})},
		{"a short lease", "Lease", "must be at least 5s, is 1s", lease(time.Second)},
		{"a negative lease", "Lease", "must be at least 5s, is -1s", lease(-time.Second)},
		{"more slots than connections", "Queues", many, tooMany},
	}
}

// Conformance 163 and 173.
func TestRunRefusesAWrongSetup(t *testing.T) {
	t.Parallel()
	// The pool is not asked for a connection.
	db, err := pgxpool.New(t.Context(), "host=/nowhere pool_max_conns=4")
	require.NoError(t, err)
	defer db.Close()
	for _, wrong := range slices.Concat(wrongHandlers(), wrongFields()) {
		w := &queue.Worker{DB: db}
		wrong.set(w)
		err := w.Run(t.Context())
		var invalid *queue.InvalidError
		require.ErrorAs(t, err, &invalid, wrong.what)
		require.Equal(t, wrong.field, invalid.Field, wrong.what)
		require.Contains(t, invalid.Reason, wrong.reason, wrong.what)
		require.Contains(t, err.Error(), wrong.field+" "+invalid.Reason, wrong.what)
	}
}

func TestRunNamesAllMistakesOfTheHandlers(t *testing.T) {
	b := setup(t)
	anyKind[blankKind](b.w)
	queue.Handle[Note](b.w, nil)
	anyKind[*sturdyKind](b.w)
	anyKind[*sturdyKind](b.w)
	err := b.w.Run(t.Context())
	for _, part := range []string{"blankKind", "kind note has a handler", "kind sturdy has two"} {
		require.ErrorContains(t, err, part)
	}
}

// Conformance 163.
func TestWorkerIsRunOnce(t *testing.T) {
	b := setup(t)
	queue.HandleFunc(b.w, doNothing)
	b.run()
	b.until(b.insert(Note{}), queue.StateCompleted)
	for _, when := range []string{"while it runs", "after it has stopped"} {
		var invalid *queue.InvalidError
		require.ErrorAs(t, b.w.Run(t.Context()), &invalid, when)
		require.Equal(t, "Worker", invalid.Field)
		require.Equal(t, "must be run once only: make a new one", invalid.Reason)
		require.NoError(t, b.stopped())
	}
}

func TestSlotsOfATxHandlerMayTakeAllConnections(t *testing.T) {
	b := setup(t)
	queue.HandleTx(b.w, queue.TxHandler[Note](&idle{}))
	b.w.Queues = []queue.Queue{{Name: "default", Slots: int(b.db.Config().MaxConns)}}
	b.run()
	b.until(b.insert(Note{}), queue.StateCompleted)
}

func TestWithoutQueuesTheDefaultIsWorked(t *testing.T) {
	b := setup(t)
	queue.HandleTx(b.w, queue.TxHandler[Note](&idle{}))
	b.w.Queues = nil
	b.run()
	b.until(b.insert(Note{}), queue.StateCompleted)
	require.Equal(t, int(b.db.Config().MaxConns), value[int](b, `SELECT slots FROM workers`))
	require.Equal(t, []string{"default"}, value[[]string](b, `SELECT queues FROM workers`))
}

// runsOn says what Run returns on a database.
func runsOn(t *testing.T, db *pgxpool.Pool) error {
	t.Helper()
	w := &queue.Worker{DB: db, Logger: slog.New(slog.DiscardHandler)}
	queue.HandleFunc(w, doNothing)
	w.StopNow() // it would not work long
	result := make(chan error, 1)
	go func() { result <- w.Run(t.Context()) }()
	return receive(t, result)
}

func TestRunRefusesASchemaThatItDoesNotKnow(t *testing.T) {
	b := setup(t)
	require.NoError(t, runsOn(t, b.db))
	const migrate = `: migrate with package migrations or "rowlock migrate up"`

	require.EqualError(t, runsOn(t, pgtest.Empty(t)), "queue: the schema is missing"+migrate)

	b.exec(`INSERT INTO rowlock_versions (version_id, is_applied) VALUES (999, true)`)
	require.NoError(t, runsOn(t, b.db), "a newer minor version has all that it needs")

	b.exec(`INSERT INTO rowlock_versions (version_id, is_applied) VALUES (1000, true)`)
	err := runsOn(t, b.db)
	require.ErrorContains(t, err, "the schema is of version 1000, which this program, made for ")
	require.ErrorContains(t, err, "does not know: use a newer one")

	b.exec(`DELETE FROM rowlock_versions WHERE version_id > 0`)
	err = runsOn(t, b.db)
	require.ErrorContains(t, err, "queue: the schema is of version 0, this program needs ")
	require.ErrorContains(t, err, migrate)
}

func TestRunDoesNotWaitForADatabaseThatNeverComes(t *testing.T) {
	b := setup(t)
	config := b.db.Config()
	config.ConnConfig.Database = "rowlock_nowhere"
	db, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer db.Close()
	require.ErrorContains(t, runsOn(t, db), `database "rowlock_nowhere" does not exist`)
}

type byValue struct{}

func (byValue) Handle(context.Context, *queue.Job[Note]) error   { return nil }
func (*byValue) Backoff(int, error, *queue.JobRow) time.Duration { return time.Hour }

// What a handler's author wrote for its pointer would never be asked.
func TestRunRefusesABackoffThatTheHandlerDoesNotHave(t *testing.T) {
	b := setup(t)
	queue.Handle(b.w, queue.Handler[Note](byValue{}))
	b.w.StopNow()
	var invalid *queue.InvalidError
	require.ErrorAs(t, b.w.Run(t.Context()), &invalid)
	require.Equal(t, "kind note", invalid.Field)
	require.ErrorContains(t, invalid, "Backoff")
}
