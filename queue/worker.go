// Here: the process that works. Run is the table of contents of the engine: one
// line for each loop, each loop in the file of its name.

package queue

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A Worker claims jobs and runs their handlers. Fill in its fields, name its
// handlers with [Handle] and [HandleTx], then call [Worker.Run]. Any number of
// Workers share the jobs of a database, in one process or in many, without a
// leader.
//
// It claims only kinds that it has a handler for. Others it leaves to Workers
// that have one, and reports.
type Worker struct {
	// DB is where the jobs are. Handlers may share it: Run opens four connections
	// of its own with DB's settings, so that busy handlers cannot hold up a claim
	// or a heartbeat.
	DB *pgxpool.Pool

	// Queues are those to work. Nil means "default" alone, with as many slots as
	// DB has connections.
	Queues []Queue

	// Middleware wraps each attempt, the first outermost.
	Middleware []Middleware

	// OnError, if set, is told of each failed attempt once, when it is on record,
	// as a [*JobError]; so it is of one that lost its claim, with an error that wraps
	// [ErrLost], and of one that went wrong after the transaction that completed its
	// job. It is told of the worker's own troubles, such as a claim that failed, as
	// other errors. A run that was snoozed or given back is none.
	// Logger gets all of it anyway. Several calls may run at once; a panic in one
	// is logged. Run returns when they have.
	OnError func(ctx context.Context, err error)

	// StopTimeout is how long a stopping Run lets handlers work on; default 25 s,
	// which is Sidekiq's and under the 30 s that Kubernetes allows.
	StopTimeout time.Duration

	// Lease is how long this process may be silent before others take its jobs;
	// default 20 s, at least 5 s. It sends a heartbeat each second. That a process
	// is gone, its connections closed and its heartbeats over, is seen within 5 s.
	Lease time.Duration

	// Retention is how long finished jobs are kept, rounded up to whole days;
	// default 7 days. Any Worker removes older ones, so give all Workers of a
	// database the same. A day goes as a whole, so it holds for all queues and kinds.
	// Dead jobs are not removed.
	Retention time.Duration

	// Logger is where Run writes; nil means [slog.Default].
	Logger *slog.Logger

	handlers map[string]*handler
	mistakes []error // of the calls of Handle, for Run to return
	ran      atomic.Bool
	pulse    pulse

	stopOnce  sync.Once
	stopNow   chan struct{} // closed by StopNow
	closeOnce sync.Once
}

// A Queue is one of the queues that a [Worker] works. Each has slots of its own,
// so that none holds up another. One slot works its queue in order, as far as one
// Worker alone works it; more of them are faster with quick jobs, which are then
// claimed ahead.
type Queue struct {
	Name  string
	Slots int // how many of its jobs this Worker runs at once; at least 1
}

// A Middleware runs an attempt by calling next, once, with ctx or a child of it.
// What it returns is what counts, also if it did not call next: nil then completes
// the job without running it. job is a copy: a change to its Args reaches the
// handler and not the table. The transaction of a [TxHandler] begins and ends
// inside next, so what follows next is too late to undo it. A panic is a failure.
type Middleware func(ctx context.Context, job *JobRow, next func(context.Context) error) error

// add registers h.
func (w *Worker) add(h *handler) {
	if h.mistake != nil {
		w.mistakes = append(w.mistakes, h.mistake)
		return
	}
	if w.handlers == nil {
		w.handlers = make(map[string]*handler)
	}
	if w.handlers[h.kind] != nil {
		w.mistakes = append(w.mistakes, h.invalid("has two handlers"))
	}
	w.handlers[h.kind] = h
}

// Run works jobs until ctx ends. Then it claims no more, lets running handlers
// work on for StopTimeout, ends the contexts of the rest with cause
// [ErrStopping], gives back after 2 s more the jobs of those that still have not
// returned, and returns.
//
// It returns nil if every job it held has ended or was given back, and otherwise
// an error that says how many are left for others to find. It returns an
// [InvalidError] at once if w is set up wrong or was run before, and an error if
// the schema is missing, older than this package or of a newer major version. It
// does not return because the database went away: it waits for it.
func (w *Worker) Run(ctx context.Context) error {
	r, err := w.prepare(ctx)
	if err != nil {
		return err
	}
	if err := r.checkSchema(ctx); err != nil {
		return err
	}
	r.log.Info("worker starts", "worker", r.name, "queues", r.queues, "kinds", r.kinds)
	engine, stop := context.WithCancel(r.values)
	defer stop()
	var loops sync.WaitGroup
	loops.Go(func() { r.heartbeat(engine) })   // shows that this process lives
	loops.Go(func() { r.loop(engine, true) })  // claims and finishes
	loops.Go(func() { r.loop(engine, false) }) // joins under load
	loops.Go(func() { r.sweep(engine) })       // finds what claims pass by
	loops.Go(func() { r.keepDays(engine) })    // makes and drops the history's partitions

	select {
	case <-ctx.Done():
	case <-w.stopping():
	}
	err = r.drain(w.stopping())
	stop()
	loops.Wait()
	r.hooks.Wait()
	r.log.Info("worker stopped", "worker", r.name)
	return err
}

// StopNow stops w as if ctx had ended and StopTimeout had passed. It returns at
// once; wait for Run to.
func (w *Worker) StopNow() {
	stopping := w.stopping()
	w.closeOnce.Do(func() { close(stopping) })
}

// stopping is closed by StopNow.
func (w *Worker) stopping() chan struct{} {
	w.stopOnce.Do(func() { w.stopNow = make(chan struct{}) })
	return w.stopNow
}

// Health says how Run is doing, for probes. live is nil while its loops turn,
// whether or not the database answers, since a restart would not help that.
// ready is nil while it claims jobs: not before its first claim, not during a
// stop, not while the database is away.
func (w *Worker) Health() (live, ready error) { return w.pulse.health() }
