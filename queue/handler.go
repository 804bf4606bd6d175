// Here: the user's code, and how a Worker comes to know it.

package queue

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Handler works the jobs of one kind, many at a time. It is for work that is
// long or that reaches outside this database; [Job.Complete] commits its last
// writes together with the job's end.
//
// ctx has the values of Run's, and ends when the attempt must: [context.Cause]
// says why. What may be returned is in the package comment. A panic and a
// [runtime.Goexit] are failures.
type Handler[T Args] interface {
	Handle(ctx context.Context, job *Job[T]) error
}

// A TxHandler works the jobs of one kind, each in a transaction that the worker
// begins and ends: nil completes the job in tx and commits, an error rolls tx
// back and then means what it means to a [Handler]. It is for short work that
// only writes here, and that work is done exactly once. Follow-up jobs that it
// inserts through tx exist if and only if it completed.
//
// tx is READ COMMITTED; its Commit and Rollback do nothing but return an error.
type TxHandler[T Args] interface {
	HandleTx(ctx context.Context, tx pgx.Tx, job *Job[T]) error
}

// A Backoffer is a handler that knows how long to wait after a failure.
type Backoffer interface {
	// Backoff returns how long to wait after the failure err when count failures
	// came before it: 0 at the first. It is not asked when no attempt is left.
	//
	// Zero, negative or a panic means the default of count⁴ + 15 seconds. To any
	// answer are added whole seconds drawn from [0, 10·(count+1)), so that jobs
	// that failed together do not come back together. Both rules are [Sidekiq's].
	// More than a hundred years is a hundred years.
	//
	// [Sidekiq's]: https://github.com/sidekiq/sidekiq/blob/v8.1.7/lib/sidekiq/job_retry.rb
	Backoff(count int, err error, job *JobRow) time.Duration
}

// A Timeouter is a handler that knows how long one attempt may take.
type Timeouter interface {
	// Timeout returns it. Zero or negative means the default of 15 minutes.
	Timeout(job *JobRow) time.Duration
}

// Handle has w give the jobs of T's kind to h, which may also be a [Backoffer]
// and a [Timeouter]. Call it before [Worker.Run], which refuses a nil h, a kind
// that is out of form or has two handlers, and a method Backoff or Timeout with
// another signature than theirs, or of the pointer of an h passed by value.
func Handle[T Args](w *Worker, h Handler[T]) {
	args := newDecoders(reflect.TypeFor[T]())
	run := func(ctx context.Context, _ *pgxpool.Pool, job *JobRow, c *claim) error {
		j, err := decode[T](job, c, args)
		if err != nil {
			return err
		}
		return h.Handle(ctx, j)
	}
	w.add(newHandler[T](h, run))
}

// HandleFunc is [Handle] for a function, with the default backoff and timeout.
func HandleFunc[T Args](w *Worker, f func(ctx context.Context, job *Job[T]) error) {
	var h Handler[T]
	if f != nil {
		h = handlerFunc[T](f)
	}
	Handle(w, h)
}

type handlerFunc[T Args] func(ctx context.Context, job *Job[T]) error

func (f handlerFunc[T]) Handle(ctx context.Context, job *Job[T]) error { return f(ctx, job) }

// HandleTx is [Handle] for a [TxHandler]. Each of its running jobs holds a
// connection of w.DB, so Run refuses a Worker that has a TxHandler and more slots
// than DB has connections.
func HandleTx[T Args](w *Worker, h TxHandler[T]) {
	args := newDecoders(reflect.TypeFor[T]())
	run := func(ctx context.Context, db *pgxpool.Pool, job *JobRow, c *claim) error {
		j, err := decode[T](job, c, args)
		if err != nil {
			return err
		}
		return runInTx(ctx, db, c, func(tx pgx.Tx) error { return h.HandleTx(ctx, tx, j) })
	}
	made := newHandler[T](h, run)
	made.inTx = true
	w.add(made)
}

// handler is a Handler or TxHandler whose type of Args is forgotten.
type handler struct {
	kind    string
	inTx    bool
	run     func(ctx context.Context, db *pgxpool.Pool, job *JobRow, c *claim) error
	backoff func(count int, err error, job *JobRow) time.Duration // nil means the default
	timeout func(job *JobRow) time.Duration                       // nil means the default
	mistake error                                                 // for Run to return
}

func newHandler[T Args](
	h any, run func(context.Context, *pgxpool.Pool, *JobRow, *claim) error,
) *handler {
	made := &handler{run: run}
	made.kind, made.mistake = kindOf[T]()
	if made.mistake != nil {
		return made
	}
	v := reflect.ValueOf(h)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		made.mistake = made.invalid("has a handler that is nil")
		return made
	}
	if b, ok := h.(Backoffer); ok {
		made.backoff = b.Backoff
	} else if hasMethod(h, "Backoff") {
		made.mistake = made.invalid(fmt.Sprintf("has a handler of type %T whose Backoff is "+
			"no Backoff(int, error, *queue.JobRow) time.Duration", h))
	}
	if t, ok := h.(Timeouter); ok {
		made.timeout = t.Timeout
	} else if hasMethod(h, "Timeout") {
		made.mistake = made.invalid(fmt.Sprintf("has a handler of type %T whose Timeout is "+
			"no Timeout(*queue.JobRow) time.Duration", h))
	}
	return made
}

// hasMethod also finds a method of h's pointer, which an h that is passed by value
// does not have, though its author may think so.
func hasMethod(h any, name string) bool {
	t := reflect.TypeOf(h)
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	for i := range t.NumMethod() { // by MethodByName the linker would keep all methods
		if t.Method(i).Name == name {
			return true
		}
	}
	return false
}

func (h *handler) invalid(reason string) error {
	return &InvalidError{Field: "kind " + h.kind, Reason: reason}
}

// kindOf asks the zero value of T, or what it points to.
func kindOf[T Args]() (kind string, mistake error) {
	t := reflect.TypeFor[T]()
	defer func() {
		if p := recover(); p != nil {
			mistake = &InvalidError{Field: "Kind", Reason: fmt.Sprintf(
				"of the zero value of %v panicked: %v", t, p)}
		}
	}()
	var zero T
	if t.Kind() == reflect.Pointer {
		zero, _ = reflect.New(t.Elem()).Interface().(T)
	}
	kind = zero.Kind()
	if reason := checkName(kind); reason != "" {
		return kind, &InvalidError{Field: "Kind", Reason: fmt.Sprintf("of %v %s", t, reason)}
	}
	return kind, nil
}
