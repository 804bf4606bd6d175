// Here: the job itself. What it is asked to do, how it stands, and the two
// things a handler can do with it inside a transaction.

package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Args is what a job is asked to do: a struct that encoding/json writes and
// reads back. It is stored as jsonb, at most 1 MiB of it. An InsertDefaults
// method ([InsertDefaulter]) says where and how often jobs of its kind run.
type Args interface {
	// Kind names the job in the table and so picks its handler. It is the same
	// for every value of the type, the zero value included, and it outlives the
	// Go name: rename the type freely, the kind never. It has 1 to 128 of the
	// ASCII letters, digits and _ . : / - and begins with a letter or digit.
	Kind() string
}

// State is where a job stands, as the state column spells it.
//
// There is no state "scheduled" or "retrying": both are queued with RunAt
// ahead, the second with Attempt above 0.
type State string

const (
	StateQueued    State = "queued"    // waits for its RunAt and a free slot
	StateRunning   State = "running"   // a worker holds it
	StateDead      State = "dead"      // given up; kept until someone acts
	StateCompleted State = "completed" // finished: an attempt succeeded
	StateCancelled State = "cancelled" // finished: called off by [Client.Cancel]
	StateDiscarded State = "discarded" // finished: a handler returned [Discard]
)

// A JobRow is one row of jobs, dead_jobs or finished_jobs, as it was when it was
// read.
type JobRow struct {
	ID          int64
	Kind        string
	Queue       string
	Priority    int // 1 goes first, 4 last
	State       State
	Args        json.RawMessage // numbers are exact
	Unique      string          // the key it was inserted with, or ""
	Attempt     int             // 1 in the first run; lost, snoozed, returned runs not counted
	MaxAttempts int
	Lost        int       // runs that ended with their process; the third leaves it dead
	RunAt       time.Time // when it may run, or last might
	CreatedAt   time.Time // when it was inserted, by the database's clock
	ClaimedAt   time.Time // when its last run began; zero before the first
	FinishedAt  time.Time // when it was finished or dead; else zero
	Worker      string    // who had its last run, as host:pid; "" before the first
}

// A Job is what a handler is given: the row, and its arguments decoded.
//
// A Job that no [Worker] handed out has no claim: its methods return [ErrLost].
type Job[T Args] struct {
	JobRow
	Args T

	claim *claim
}

// claim is what an attempt holds its job by.
type claim struct {
	id    int64
	token int64

	// completing is set once Complete has written the job's end in a transaction
	// whose outcome the worker does not see.
	completing atomic.Bool
}

const completeInTxSQL = `-- queue.complete_in_tx
WITH gone AS (
  DELETE FROM jobs WHERE id = $1 AND token = $2
  RETURNING ` + carried + `),
kept AS (
  INSERT INTO finished_jobs (` + carried + `, state) SELECT ` + carried + `, 'completed' FROM gone)
SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN true ELSE raise_lost_claim($1) END`

// commitDurably has a transaction's commit wait for the disk also where a role has
// synchronous_commit off.
const commitDurably = `set_config('synchronous_commit',
         CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
         ELSE current_setting('synchronous_commit') END, true)`

// Complete ends the job inside tx: the job is completed if tx commits, and
// nothing has happened if it does not. It is for the last transaction of a
// [Handler], the one whose writes must be committed exactly once:
//
//	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
//		// … write …
//		return job.Complete(ctx, tx)
//	})
//
// Call it last. Every transaction then locks its own rows first and the job's
// row after them, so that two attempts at one job cannot deadlock.
//
// It returns [ErrLost] if another worker or an operator has the job now, and
// other errors as Postgres gives them. Either way tx is aborted and can only be
// rolled back, even by a caller that drops the error. After a transaction that
// could not be serialized, call Complete again in the next one.
//
// Whether tx committed is for the database to say, not for the handler. If
// Commit fails, or breaks off so that nobody knows, return its error: the worker
// writes nothing about the job without looking for its token there. If tx did
// commit, the job is completed and no failure is counted. If it did not, the
// attempt has failed, even if the handler returns nil.
func (j *Job[T]) Complete(ctx context.Context, tx pgx.Tx) error {
	if j.claim == nil {
		return ErrLost
	}
	if err := j.claim.last(ctx, tx, completeInTxSQL); err != nil {
		return j.claim.explain("complete", err)
	}
	j.claim.completing.Store(true)
	return nil
}

const fenceSQL = `-- queue.fence
WITH held AS (
  SELECT id FROM jobs WHERE id = $1 AND token = $2 FOR UPDATE)
SELECT CASE WHEN EXISTS (SELECT FROM held) THEN true ELSE raise_lost_claim($1) END`

// Fence lets tx commit only if this attempt holds the job, and does not end the
// job. It is for a handler's transactions before the last: a row that must be
// there before an outside call, a status, a note of progress. A worker that was
// paused or cut off then cannot write over the work of its successor.
//
// Call it last, as Complete; its errors are the same. It locks the job's row
// until tx ends, and [Client.Cancel] waits for that. Like Complete it has tx
// committed durably where the role's synchronous_commit is off.
func (j *Job[T]) Fence(ctx context.Context, tx pgx.Tx) error {
	if j.claim == nil {
		return ErrLost
	}
	if err := j.claim.last(ctx, tx, fenceSQL); err != nil {
		return j.claim.explain("fence", err)
	}
	return nil
}

// A session keeps the plan that it made while jobs was nearly empty, and that reads all of
// it: in a burst of 100,000 a Complete then took 14 ms, and takes 0.1. Little follows in
// the transaction that this could harm.
const lastSQL = `-- queue.last
SELECT set_config('enable_seqscan', 'off', true), ` + commitDurably

// last sends one of the statements that are to be the last of a transaction.
func (c *claim) last(ctx context.Context, tx pgx.Tx, sql string) error {
	batch := &pgx.Batch{}
	batch.Queue(lastSQL)
	batch.Queue(sql, c.id, c.token)
	return tx.SendBatch(ctx, batch).Close()
}

// lostClaimCode is what raise_lost_claim raises.
const lostClaimCode = "RL001"

// explain makes Postgres' word that the claim is lost an [ErrLost].
func (c *claim) explain(verb string, err error) error {
	if pgErr, ok := find[*pgconn.PgError](err); ok && pgErr.Code == lostClaimCode {
		return fmt.Errorf("%s job %d: %w", verb, c.id, ErrLost)
	}
	return fmt.Errorf("%s job %d: %w", verb, c.id, err)
}
