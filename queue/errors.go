// Here: what goes wrong. What a handler may return, why its context ended, what
// a caller may branch on.

package queue

import (
	"errors"
	"fmt"
	"time"
)

// NoRetry wraps err so that an attempt that returns it leaves the job dead at
// once. It holds through further wrapping. NoRetry(nil) is nil.
func NoRetry(err error) error {
	if err == nil {
		return nil
	}
	return &noRetry{err}
}

type noRetry struct{ err error }

func (e *noRetry) Error() string { return e.err.Error() }
func (e *noRetry) Unwrap() error { return e.err }

// Discard wraps err so that an attempt that returns it ends the job as
// discarded: out of the way, with err kept in its history. It holds through
// further wrapping. Discard(nil) is nil.
func Discard(err error) error {
	if err == nil {
		return nil
	}
	return &discard{err}
}

type discard struct{ err error }

func (e *discard) Error() string { return e.err.Error() }
func (e *discard) Unwrap() error { return e.err }

// Snooze is returned by a handler that wants to run d later, at once if d is
// not positive. The attempt is not counted and nothing has failed.
func Snooze(d time.Duration) error { return &snooze{max(d, 0)} }

type snooze struct{ wait time.Duration }

func (e *snooze) Error() string { return fmt.Sprintf("queue: snoozed for %v", e.wait) }

// Why a handler's context ended; ask [context.Cause].
var (
	// ErrStopping: the worker is going down, and StopTimeout has passed or
	// StopNow was called. Return within 2 s. An error that wraps ErrStopping or
	// [context.Canceled] then gives the job back: RunAt as it was, the attempt
	// not counted.
	ErrStopping = errors.New("queue: worker is stopping")

	// ErrCancelled: someone called [Client.Cancel]. The job ends as cancelled if
	// the handler returns an error, and as completed if it returns nil.
	ErrCancelled = errors.New("queue: job was cancelled")

	// ErrTimeout: the attempt took longer than its [Timeouter] allows. An error
	// returned now is a failure like any other.
	ErrTimeout = errors.New("queue: attempt ran out of time")

	// ErrLost: this attempt no longer holds the job and can no longer change it.
	// Its worker was silent for so long that another took over. What the handler
	// returns is ignored. [Job.Complete] and [Job.Fence] return ErrLost too.
	ErrLost = errors.New("queue: attempt has lost its claim")
)

// ErrNotFound says that there is no such job or queue.
var ErrNotFound = errors.New("queue: not found")

// ErrSkip is returned by a Client's BeforeInsert to leave a job out, as
// [io/fs.SkipDir] leaves out a directory. No function here returns it.
var ErrSkip = errors.New("queue: skip this job")

// An InvalidError says what is wrong with a job to insert or a [Worker] to run.
// Nothing was sent to Postgres, and a transaction at hand lives on.
type InvalidError struct {
	Index  int    // of the job in its batch, from 0; else 0
	Field  string // such as "Unique", "Args.customer.name" or "Queues[1].Slots"
	Reason string // such as "must be at least 1, is -3"

	inBatch bool
}

// Error names the field and the reason.
func (e *InvalidError) Error() string {
	if e.inBatch {
		return fmt.Sprintf("queue: job %d of the batch: %s %s", e.Index, e.Field, e.Reason)
	}
	return fmt.Sprintf("queue: %s %s", e.Field, e.Reason)
}

// A ConflictError says that a job is in no state for what was asked of it.
// Nothing was changed.
type ConflictError struct {
	ID     int64
	State  State // the job's
	Holder int64 // the live job that holds its Unique key; 0 if that is not why
}

// Error names the job, its state and the holder.
func (e *ConflictError) Error() string {
	if e.Holder != 0 {
		return fmt.Sprintf("queue: job %d is %s, and job %d holds its unique key",
			e.ID, e.State, e.Holder)
	}
	return fmt.Sprintf("queue: job %d is %s", e.ID, e.State)
}

// A JobError is one attempt that went wrong, as a Worker's OnError is told of it.
type JobError struct {
	Job   *JobRow // after the attempt: queued with its next RunAt, dead, discarded or completed
	Err   error   // what the handler returned, or that it panicked or called Goexit
	Stack string  // of a panic or Goexit; else ""
}

// Error names the job, the attempt, Err and what comes next.
func (e *JobError) Error() string {
	next := string(e.Job.State)
	if e.Job.State == StateQueued {
		next = "runs again at " + e.Job.RunAt.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("queue: %s job %d, attempt %d of %d: %s (%s)",
		e.Job.Kind, e.Job.ID, e.Job.Attempt, e.Job.MaxAttempts, errorText(e.Err), next)
}

// Unwrap returns Err.
func (e *JobError) Unwrap() error { return e.Err }

// treeLimit is how many errors of a tree are looked at. A handler may return a
// chain that bites its own tail, on which errors.Is and errors.As never return.
const treeLimit = 1000

// find returns the first error of err's tree that is a T, as errors.AsType does,
// within treeLimit.
func find[T error](err error) (found T, ok bool) {
	walk(err, func(e error) bool {
		found, ok = e.(T)
		return ok
	})
	return found, ok
}

// matches says whether target is in err's tree, as errors.Is does, within
// treeLimit.
func matches(err, target error) bool {
	return walk(err, func(e error) bool {
		if e == target {
			return true
		}
		is, ok := e.(interface{ Is(error) bool })
		return ok && is.Is(target)
	})
}

// walk visits err's tree, breadth first, until visit returns true.
func walk(err error, visit func(error) bool) bool {
	tree := []error{err}
	for i := 0; i < len(tree) && i < treeLimit; i++ {
		if tree[i] == nil {
			continue
		}
		if visit(tree[i]) {
			return true
		}
		switch e := tree[i].(type) {
		case interface{ Unwrap() error }:
			tree = append(tree, e.Unwrap())
		case interface{ Unwrap() []error }:
			tree = append(tree, e.Unwrap()...)
		}
	}
	return false
}
