// Here: one Run of a Worker. Its settings with the defaults filled in, and what its
// loops share.

package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	defaultStopTimeout = 25 * time.Second
	defaultLease       = 20 * time.Second
	minLease           = 5 * time.Second

	// stopGrace is how long handlers have once their contexts have ended, and then
	// the database to take what they left.
	stopGrace = 2 * time.Second
)

type run struct {
	db          *pgxpool.Pool
	queues      []Queue
	handlers    map[string]*handler
	kinds       []string // of handlers, sorted
	stopTimeout time.Duration
	lease       time.Duration
	retention   time.Duration
	log         *slog.Logger
	middleware  []Middleware
	onError     func(context.Context, error)

	name      string          // host:pid
	values    context.Context // Run's without its end
	id        atomic.Int64    // in the table workers; 0 until registered
	slots     *slots
	lanes     *lanes
	processes atomic.Int64 // that live, as of the last heartbeat
	asleep    atomic.Bool  // inserts are to wake this process
	busy      atomic.Bool  // nobody need, since so much is claimed
	dozes     atomic.Bool  // the bell rings after a nap
	claimed   atomic.Int64 // jobs, since the last heartbeat
	plain     atomic.Bool  // the default is READ COMMITTED, as of the last heartbeat
	pulse     *pulse
	hooks     sync.WaitGroup // calls of onError
}

// prepare checks w's fields and fills in their defaults.
func (w *Worker) prepare(ctx context.Context) (*run, error) {
	if w.DB == nil {
		return nil, &InvalidError{Field: "DB", Reason: "must not be nil"}
	}
	if len(w.mistakes) > 0 {
		return nil, errors.Join(w.mistakes...)
	}
	if len(w.handlers) == 0 {
		return nil, &InvalidError{Field: "Worker", Reason: "must have a handler: see Handle"}
	}
	conns := int(w.DB.Config().MaxConns)
	queues := w.Queues
	if queues == nil {
		queues = []Queue{{Name: "default", Slots: conns}}
	}
	if err := checkQueues(queues, w.handlers, conns); err != nil {
		return nil, err
	}
	if w.StopTimeout < 0 {
		return nil, &InvalidError{Field: "StopTimeout", Reason: "must not be negative"}
	}
	if w.Retention < 0 {
		return nil, &InvalidError{Field: "Retention", Reason: "must not be negative"}
	}
	if w.Lease != 0 && w.Lease < minLease {
		return nil, &InvalidError{
			Field: "Lease", Reason: fmt.Sprintf("must be at least %v, is %v", minLease, w.Lease),
		}
	}
	if w.ran.Swap(true) {
		return nil, &InvalidError{Field: "Worker", Reason: "must be run once only: make a new one"}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &run{
		db:          w.DB,
		queues:      queues,
		handlers:    w.handlers,
		kinds:       slices.Sorted(maps.Keys(w.handlers)),
		stopTimeout: cmp.Or(w.StopTimeout, defaultStopTimeout),
		lease:       cmp.Or(w.Lease, defaultLease),
		retention:   wholeDays(cmp.Or(w.Retention, defaultRetention)),
		log:         cmp.Or(w.Logger, slog.Default()),
		middleware:  w.Middleware,
		onError:     w.OnError,
		name:        fmt.Sprintf("%s:%d", host, os.Getpid()),
		values:      context.WithoutCancel(ctx),
		slots:       newSlots(queues),
		lanes:       newLanes(queues),
		pulse:       &w.pulse,
	}, nil
}

// checkQueues returns what is wrong with queues, if the pool has conns connections.
func checkQueues(queues []Queue, handlers map[string]*handler, conns int) error {
	if len(queues) == 0 {
		return &InvalidError{Field: "Queues", Reason: "must be nil or name a queue"}
	}
	seen := make(map[string]bool)
	slots := 0
	for i, q := range queues {
		field := fmt.Sprintf("Queues[%d].", i)
		if reason := checkName(q.Name); reason != "" {
			return &InvalidError{Field: field + "Name", Reason: reason}
		}
		if seen[q.Name] {
			return &InvalidError{Field: field + "Name", Reason: q.Name + " is there twice"}
		}
		seen[q.Name] = true
		if q.Slots < 1 || q.Slots > 1_000_000 {
			return outOfRange(field+"Slots", 1, 1_000_000, q.Slots)
		}
		slots += q.Slots
	}
	for _, h := range handlers {
		if h.inTx && slots > conns {
			return &InvalidError{Field: "Queues", Reason: fmt.Sprintf(
				"have %d slots, but DB has %d connections, and each job of kind %s holds "+
					"one (HandleTx): lower the slots or raise MaxConns of the pool",
				slots, conns, h.kind)}
		}
	}
	return nil
}

// schemaVersion is the migration that this package needs at least. A thousand of
// them make a major version, which older packages cannot work with.
const schemaVersion = 6

const versionSQL = `-- queue.version
SELECT coalesce(max(version_id), 0) FROM rowlock_versions WHERE is_applied`

// checkSchema returns an error if the tables are not those that this package needs.
// It waits for a database that is away.
func (r *run) checkSchema(ctx context.Context) error {
	const next = `migrate with package migrations or "rowlock migrate up"`
	var pause time.Duration
	for {
		var version int
		err := r.db.QueryRow(ctx, versionSQL).Scan(&version)
		pgErr, fromServer := errors.AsType[*pgconn.PgError](err)
		switch {
		case err == nil && version < schemaVersion:
			return fmt.Errorf("queue: the schema is of version %d, this program needs %d: %s",
				version, schemaVersion, next)
		case err == nil && version/1000 > schemaVersion/1000:
			return fmt.Errorf("queue: the schema is of version %d, which this program, made "+
				"for %d, does not know: use a newer one", version, schemaVersion)
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return nil // stopped before it began
		case fromServer && pgErr.Code == "42P01": // no such table
			return fmt.Errorf("queue: the schema is missing: %s", next)
		case fromServer && notAway(pgErr.Code):
			return fmt.Errorf("queue: %w", err)
		}
		r.report(fmt.Errorf("queue: wait for the database: %w", err))
		pause = min(2*pause+50*time.Millisecond, longestPause)
		sleep(ctx, jittered(pause))
	}
}

// notAway says whether a server that refuses with code would do so tomorrow, too:
// no such role, password or database, or no right to look.
func notAway(code string) bool {
	return strings.HasPrefix(code, "28") || strings.HasPrefix(code, "3D") ||
		strings.HasPrefix(code, "42")
}

// connect opens a connection of Run's own as DB would, with its hooks.
func (r *run) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	pool := r.db.Config()
	config := pool.ConnConfig.Copy()
	if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, config); err != nil {
			return nil, err
		}
	}
	// To listen, time after time, wants pgx's own ways.
	config.OnNotification = nil
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if pool.AfterConnect != nil {
		if err := pool.AfterConnect(ctx, conn); err != nil {
			closeConn(conn)
			return nil, err
		}
	}
	return conn, nil
}

// readCommitted sends what queue adds to a batch in one transaction and round trip, with
// the settings of a claim's. A database whose default is SERIALIZABLE would fail what
// meets a write of another's. After an error conn is closed.
func readCommitted(ctx context.Context, conn *pgx.Conn, queue func(*pgx.Batch)) error {
	batch := &pgx.Batch{}
	batch.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	batch.Queue(settingsSQL)
	queue(batch)
	batch.Queue("COMMIT")
	err := conn.SendBatch(ctx, batch).Close()
	if err != nil {
		closeConn(conn)
	}
	return err
}

// single has send, which sends one statement that needs none of the settings, do so by
// itself. Where the default is not READ COMMITTED, that takes a transaction.
func (r *run) single(ctx context.Context, conn *pgx.Conn, send func(DB) error) error {
	if r.plain.Load() {
		return send(conn)
	}
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted},
		func(tx pgx.Tx) error { return send(tx) })
}

// closeConn closes conn. The server notices by itself where it cannot be told.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// drain stops claiming and returns when every job that was held is on record as
// ended, or when the time for that is over, with an error that says how many are not.
func (r *run) drain(now <-chan struct{}) error {
	r.pulse.stopped()
	r.slots.close()
	running, _, _ := r.slots.count()
	r.log.Info("worker stops", "worker", r.name, "running", running, "timeout", r.stopTimeout)

	if !r.slots.wait(r.stopTimeout, now, false) {
		r.slots.cancel(func(*attempt) bool { return true }, ErrStopping, returned)
		r.slots.wait(stopGrace, nil, false)
		r.slots.abandon()
	}
	if r.slots.wait(stopGrace, nil, true) {
		return nil
	}
	_, held, _ := r.slots.count()
	return fmt.Errorf("queue: stopped while the database is away, with the end of %d jobs "+
		"not on record: other workers will claim them again", held)
}

// report logs err and tells OnError, in a goroutine of its own: no loop waits for
// a hook.
func (r *run) report(err error) {
	r.hooks.Go(func() {
		defer func() { _ = recover() }() // of the log's handler, which cannot be told
		r.logError(err)
		if r.onError == nil {
			return
		}
		defer func() {
			if p := recover(); p != nil {
				r.log.Error("OnError panicked", "panic", p, "about", errorText(err))
			}
		}()
		r.onError(r.values, err)
	})
}

func (r *run) logError(err error) {
	failed, ofJob := err.(*JobError)
	if !ofJob {
		r.log.Error(errorText(err))
		return
	}
	level, message := slog.LevelWarn, "attempt failed"
	switch failed.Job.State {
	case StateDead:
		level = slog.LevelError
	case StateCompleted:
		message = "attempt went wrong after it had completed its job"
	}
	r.log.Log(r.values, level, message, "job_id", failed.Job.ID, "kind", failed.Job.Kind,
		"queue", failed.Job.Queue, "attempt", failed.Job.Attempt, "of", failed.Job.MaxAttempts,
		"state", failed.Job.State, "run_at", failed.Job.RunAt, "error", errorText(failed.Err))
}
