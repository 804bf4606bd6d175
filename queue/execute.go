// Here: one attempt at one job, and what its end means.

package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const defaultTimeout = 15 * time.Minute

// An attempt is one run of one job, from the claim to the record of its end.
type attempt struct {
	*lent
	job        JobRow
	cancelling bool // called off before its last process died
	handler    *handler
	queue      *queueSlots
	admitted   time.Time     // to wait for a slot, by this process' clock
	seat       int           // among those that run, from 1; 0 if it does not
	limit      time.Duration // of its run
	end        ending
}

// lent is what an attempt's handler has, and may keep.
type lent struct {
	claim claim
	ctx   attemptContext
}

// attempts that are over serve others: that leaves a quarter less garbage.
var attempts = sync.Pool{New: func() any { return &attempt{} }}

func newAttempt() *attempt {
	a := attempts.Get().(*attempt)
	a.lent = &lent{}
	return a
}

// free gives a up for others. Nobody may still hold it, but what is lent.
func (a *attempt) free() {
	*a = attempt{}
	attempts.Put(a)
}

// start gives claimed jobs to their handlers. One that was called off before its
// process died is cancelled, and one that has killed three processes is dead. One
// that cannot start goes back: since a stop came while it was claimed, or for a while
// since it is a suspect and another one runs, as a claim whose reply was lost may
// bring.
func (r *run) start(jobs []*attempt, token int64) {
	for _, a := range jobs {
		a.claim.id, a.claim.token = a.job.ID, token
	}
	jobs = slices.DeleteFunc(jobs, func(a *attempt) bool {
		switch {
		case a.cancelling:
			r.slots.hold(&ending{attempt: a, fate: cancelled})
		case a.job.Lost >= maxLost:
			r.slots.hold(&ending{attempt: a, fate: dead, err: errPoison})
		default:
			return false
		}
		return true
	})
	for _, a := range r.slots.admit(jobs, r.work) {
		back := &ending{attempt: a, fate: returned}
		if a.suspect() {
			wait := pollInterval
			back.wait = &wait
		}
		r.slots.hold(back)
	}
}

// suspect says whether one more lost run would be the last.
func (a *attempt) suspect() bool { return a.job.Lost == maxLost-1 }

// maxLost is how many lost runs leave a job dead.
const maxLost = 3

var errPoison = fmt.Errorf("queue: killed its worker %d times", maxLost)

// work runs what waits for a slot of q, in turn, until nothing does.
func (r *run) work(q *queueSlots) {
	var a *attempt
	defer func() {
		if a == nil {
			return
		}
		// The handler, or what it returned, called runtime.Goexit, as t.FailNow does.
		if a.end.fate == undecided {
			a.end.failBlindly()
		}
		r.slots.end(a)
		go r.work(q)
	}()
	for a = r.slots.next(q, nil); a != nil; a = r.slots.next(q, a) {
		r.execute(a)
	}
}

// execute runs a's handler and says in a.end what became of that, however it ended.
func (r *run) execute(a *attempt) {
	var err error
	returned := false
	a.end.attempt = a
	defer a.ctx.end(nil)
	defer func() {
		if !returned {
			a.end.stack = string(debug.Stack())
			if p := recover(); p != nil {
				err = panicError(p)
			} else {
				err = errors.New("queue: handler called runtime.Goexit")
			}
		}
		if err != nil {
			a.end.cause = a.ctx.ended()
		}
		a.end.judge(err)
	}()
	a.limit = a.timeoutOf()
	a.ctx.begin(r.values, a.limit)
	err = r.call(a)
	returned = true
}

// call calls a's handler inside the middleware. Both see a copy of the row: what they
// do to it is theirs.
func (r *run) call(a *attempt) error {
	h, ours := a.handler, a.lent
	if len(r.middleware) == 0 {
		return h.run(&ours.ctx, r.db, &a.job, &ours.claim) // which copies the row
	}
	job := a.job
	call := func(ctx context.Context) error { return h.run(ctx, r.db, &job, &ours.claim) }
	for _, wrap := range slices.Backward(r.middleware) {
		next := call
		call = func(ctx context.Context) error { return wrap(ctx, &job, next) }
	}
	return call(&ours.ctx)
}

// panicError makes what was panicked with an error that wraps it if it is one.
func panicError(p any) error {
	if err, ok := p.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", p)
}

// timeoutOf asks the handler. One that panics there has its attempt fail.
func (a *attempt) timeoutOf() time.Duration {
	if a.handler.timeout != nil {
		job := a.job
		if d := a.handler.timeout(&job); d > 0 {
			return d
		}
	}
	return defaultTimeout
}

var errNotCommitted = errors.New(
	"queue: the handler called Complete in a transaction that did not commit")

// judge says what err, which the handler returned, makes of the job.
func (e *ending) judge(err error) {
	// A method of a handler's error may panic. It is then a failure like others.
	defer func() {
		if p := recover(); p != nil {
			e.fail(fmt.Errorf("error of type %T panicked: %v", err, p))
		}
	}()
	snoozed, isSnooze := find[*snooze](err)
	_, isDiscard := find[*discard](err)
	stopped := matches(err, ErrStopping) || matches(err, context.Canceled)
	switch {
	case e.claim.completing.Load():
		// Its transaction may have committed whatever was returned.
		e.fate, e.err = settled, err
	case err == nil:
		e.fate = completed
	case e.cause == ErrCancelled:
		e.fate = cancelled
	case e.cause == ErrStopping && stopped, e.cause == ErrLost:
		e.fate = returned
	case isSnooze:
		e.fate, e.wait = returned, &snoozed.wait
	case isDiscard:
		e.fate, e.err = discarded, err
	default:
		if e.cause == ErrTimeout {
			err = e.outOfTime(err)
		}
		e.fail(err)
	}
}

// outOfTime says in err that its attempt took too long.
func (a *attempt) outOfTime(err error) error {
	whose := ""
	if a.limit == defaultTimeout {
		whose = ", the default for a handler without a Timeout method"
	}
	if matches(err, ErrTimeout) { // the handler returned the cause
		return fmt.Errorf("%w (%v%s)", err, a.limit, whose)
	}
	return fmt.Errorf("%w (%v%s): %w", ErrTimeout, a.limit, whose, err)
}

// fail makes e a failure: queued again, or dead.
func (e *ending) fail(err error) {
	e.err = err
	_, never := find[*noRetry](err)
	if never || e.job.Attempt >= e.job.MaxAttempts {
		e.fate = dead
		return
	}
	var wait time.Duration
	wait, e.panicked = backoff(e.handler, e.job.Attempt-1, err, e.job)
	e.fate, e.wait = failed, &wait
}

// failBlindly makes e a failure and asks neither its error nor the handler about it,
// since one of them does not return.
func (e *ending) failBlindly() {
	if e.err == nil {
		e.err = errors.New("queue: the handler's error, or its Backoff, called runtime.Goexit")
	}
	if e.job.Attempt >= e.job.MaxAttempts {
		e.fate = dead
		return
	}
	count := e.job.Attempt - 1
	wait := addWait(defaultBackoff(count), jitter(count))
	e.fate, e.wait = failed, &wait
}
