// Here: one attempt at one job, and what its end means.

package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const defaultTimeout = 15 * time.Minute

// An attempt is one run of one job.
type attempt struct {
	job     *JobRow
	claim   claim
	handler *handler
	cancel  context.CancelCauseFunc // ends the handler's context
	timeout time.Duration
}

// start gives a claimed job to its handler. A suspect that finds another one
// running goes back for a moment, and one that has killed three processes is dead.
func (r *run) start(job *JobRow, token int64) {
	a := &attempt{job: job, handler: r.handlers[job.Kind]}
	a.claim.id, a.claim.token = job.ID, token
	if job.Lost >= maxLost {
		r.slots.hold(&ending{attempt: a, fate: dead, err: errPoison})
		return
	}
	ctx, cancel := context.WithCancelCause(r.values)
	a.cancel = cancel
	if !r.slots.start(a, job.Lost == maxLost-1) {
		cancel(nil)
		pause := pollInterval
		r.slots.hold(&ending{attempt: a, fate: returned, wait: &pause})
		return
	}
	go r.execute(ctx, a)
}

// maxLost is how many lost runs leave a job dead.
const maxLost = 3

var errPoison = fmt.Errorf("queue: killed its worker %d times", maxLost)

// execute runs a's handler and queues the end of it, however it ends: by return,
// by a panic or by runtime.Goexit, which t.FailNow calls.
func (r *run) execute(ctx context.Context, a *attempt) {
	defer a.cancel(nil)
	end := &ending{attempt: a}
	defer r.slots.end(a, end)

	var err error
	returned := false
	defer func() {
		stack := ""
		if !returned {
			stack = string(debug.Stack())
			if p := recover(); p != nil {
				err = panicError(p)
			} else {
				err = errors.New("queue: handler called runtime.Goexit")
			}
		}
		r.judge(end, context.Cause(ctx), err)
		end.stack = stack
	}()
	a.timeout = a.timeoutOf()
	ctx, stop := context.WithTimeoutCause(ctx, a.timeout, ErrTimeout)
	defer stop()
	err = a.handler.run(ctx, r.db, a.job, &a.claim)
	returned = true
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
		job := *a.job
		if d := a.handler.timeout(&job); d > 0 {
			return d
		}
	}
	return defaultTimeout
}

var errNotCommitted = errors.New(
	"queue: the handler called Complete in a transaction that did not commit")

// judge says what err, which the handler returned, makes of the job. cause is why
// its context ended, if it did.
func (r *run) judge(e *ending, cause, err error) {
	// A method of a handler's error may panic. It is then a failure like others.
	defer func() {
		if p := recover(); p != nil {
			e.fail(fmt.Errorf("error of type %T panicked: %v", err, p), r)
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
	case cause == ErrStopping && stopped, cause == ErrLost:
		e.fate = returned
	case isSnooze:
		e.fate, e.wait = returned, &snoozed.wait
	case isDiscard:
		e.fate, e.err = discarded, err
	default:
		if cause == ErrTimeout {
			err = e.attempt.outOfTime(err)
		}
		e.fail(err, r)
	}
}

// outOfTime says in err that its attempt took too long.
func (a *attempt) outOfTime(err error) error {
	whose := ""
	if a.timeout == defaultTimeout {
		whose = ", the default for a handler without a Timeout method"
	}
	return fmt.Errorf("%w (%v%s): %w", ErrTimeout, a.timeout, whose, err)
}

// fail makes e a failure: queued again, or dead.
func (e *ending) fail(err error, r *run) {
	e.err = err
	_, never := find[*noRetry](err)
	if never || e.job.Attempt >= e.job.MaxAttempts {
		e.fate = dead
		return
	}
	wait, panicked := backoff(e.handler, e.job.Attempt-1, err, *e.job)
	e.fate, e.wait = failed, &wait
	if panicked != nil {
		r.report(panicked)
	}
}
