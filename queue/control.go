// Here: an operator's hand.

package queue

import (
	"context"
	"fmt"
)

const retrySQL = `-- queue.retry
SELECT outcome, coalesce(state, 'queued'), coalesce(holder, 0) FROM try_retry_job($1)`

// Retry makes a job due now and takes one from its Attempt, so that a dead job
// runs at least once more. It is for dead, cancelled and discarded jobs, and
// for queued ones that are not due; any other is a [ConflictError]. So is a job
// whose Unique key another live job holds by now. A job that is not there is
// [ErrNotFound]. Neither error aborts a transaction.
func (c *Client) Retry(ctx context.Context, db DB, id int64) error {
	if _, err := try(ctx, db, "retry", retrySQL, id); err != nil {
		return err
	}
	wakeAfter(db)
	return nil
}

const cancelJobSQL = `-- queue.cancel_job
SELECT outcome, coalesce(state, 'queued'), coalesce(holder, 0) FROM try_cancel_job($1)`

// Cancel calls a job off and returns the state that leaves it in. A queued or
// dead job is StateCancelled. A running one is StateRunning for a while: within
// 3 s of the commit its handler's context ends with cause [ErrCancelled],
// wherever it runs and whether or not LISTEN works there. It is then cancelled
// if the handler returns an error, and completed if it returns nil. Cancelling
// twice is no error; a completed or discarded job is a [ConflictError], one that is
// not there [ErrNotFound]. Neither error aborts a transaction.
func (c *Client) Cancel(ctx context.Context, db DB, id int64) (State, error) {
	return try(ctx, db, "cancel", cancelJobSQL, id)
}

const deleteSQL = `-- queue.delete
SELECT outcome, coalesce(state, 'queued'), coalesce(holder, 0) FROM try_delete_job($1)`

// Delete removes a job and its failures for good, and frees its Unique key. A
// running job is a [ConflictError], one that is not there [ErrNotFound]. Neither
// error aborts a transaction.
func (c *Client) Delete(ctx context.Context, db DB, id int64) error {
	_, err := try(ctx, db, "delete", deleteSQL, id)
	return err
}

// try calls one of the functions that do what the verb says, or change nothing.
func try(ctx context.Context, db DB, verb, sql string, id int64) (State, error) {
	var (
		outcome string
		state   State
		holder  int64
	)
	if err := db.QueryRow(ctx, sql, id).Scan(&outcome, &state, &holder); err != nil {
		return "", fmt.Errorf("%s job %d: %w", verb, id, err)
	}
	switch outcome {
	case "missing":
		return "", fmt.Errorf("%s job %d: %w", verb, id, ErrNotFound)
	case "conflict":
		return "", fmt.Errorf("%s: %w", verb, &ConflictError{ID: id, State: state, Holder: holder})
	}
	return state, nil
}

const pauseSQL = `-- queue.pause
INSERT INTO queues (name, paused_at) VALUES ($1, now())
ON CONFLICT (name) DO UPDATE SET paused_at = now() WHERE queues.paused_at IS NULL`

// Pause keeps all workers from claiming the jobs of a queue until Resume. Each
// claims from it at most once more; what runs, runs on. A queue can be paused
// before its first job. Pausing twice is no error, and keeps the first time. A name
// that no queue can have is an [InvalidError].
func (c *Client) Pause(ctx context.Context, db DB, queue string) error {
	return setPause(ctx, db, "pause", pauseSQL, queue)
}

const resumeSQL = `-- queue.resume
UPDATE queues SET paused_at = NULL WHERE name = $1 AND paused_at IS NOT NULL`

// Resume ends a Pause. Resuming a queue that runs is no error.
func (c *Client) Resume(ctx context.Context, db DB, queue string) error {
	if err := setPause(ctx, db, "resume", resumeSQL, queue); err != nil {
		return err
	}
	wakeAfter(db)
	return nil
}

func setPause(ctx context.Context, db DB, verb, sql, queue string) error {
	if reason := checkName(queue); reason != "" {
		return &InvalidError{Field: "Queue", Reason: reason}
	}
	if _, err := db.Exec(ctx, sql, queue); err != nil {
		return fmt.Errorf("%s queue %s: %w", verb, queue, err)
	}
	return nil
}
