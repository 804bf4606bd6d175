// Here: how an attempt's end gets on record. Each way to end has one statement,
// which takes any number of jobs, touches only those whose claim still holds and
// joins nothing to jobs.

package queue

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// A fate is what becomes of a job when an attempt at it ends.
type fate int

const (
	undecided fate = iota
	completed
	discarded
	cancelled
	dead
	failed   // queued again after its backoff
	returned // queued again, the attempt not counted: snoozed or given back
	settled  // by a transaction of the handler's, if that committed
	fates    // how many there are
)

// An ending is how an attempt ended, on its way to the database.
type ending struct {
	*attempt
	fate     fate
	wait     *time.Duration // from now to the next run; nil leaves run_at alone
	err      error          // of failed, dead and discarded; of settled, if it did not commit
	stack    string
	cause    error // why the handler's context ended, if it did
	panicked error // by the handler's Backoff

	reported bool // that it was set aside
}

// carried are the columns that a job takes along from table to table.
const carried = `id, run_at, created_at, token, claimed_at, worker, priority, attempt,
  max_attempts, lost_count, kind, queue, args, unique_key, parent_id, tags, meta`

// uncancelled keeps a job that was called off, and whose handler did not heed it, from
// running again: lookFor finds it.
const uncancelled = ` AND NOT cancelling`

// held picks the rows of the ids in $1 that are still held by the tokens in $2. The
// array finds them by the primary key, in the order of their ids.
const held = `
 WHERE id = ANY ($1)
   AND ((id, token) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))) IS TRUE`

// nthError and nthStack are the elements of the arrays $3 and $4 that belong to a
// row: what a join would bring, but for what the planner may make of one.
const (
	nthError = `($3::text[])[array_position($1, id)]`
	nthStack = `($4::text[])[array_position($1, id)]`
)

const completeSQL = `-- queue.complete
WITH gone AS (DELETE FROM jobs` + held + ` RETURNING ` + carried + `)
INSERT INTO finished_jobs (` + carried + `, state)
SELECT ` + carried + `, 'completed' FROM gone`

const cancelSQL = `-- queue.cancel
WITH gone AS (DELETE FROM jobs` + held + ` RETURNING ` + carried + `),
kept AS (
  INSERT INTO finished_jobs (` + carried + `, state)
  SELECT ` + carried + `, 'cancelled' FROM gone)
SELECT id, now() FROM gone`

const discardSQL = `-- queue.discard
WITH gone AS (DELETE FROM jobs` + held + ` RETURNING ` + carried + `),
kept AS (
  INSERT INTO finished_jobs (` + carried + `, state)
  SELECT ` + carried + `, 'discarded' FROM gone),
noted AS (
  INSERT INTO job_failures (job_id, worker, attempt, error, stack)
  SELECT id, worker, attempt, ` + nthError + `, ` + nthStack + ` FROM gone)
SELECT id, now() FROM gone`

const buryDeadSQL = `-- queue.bury_dead
WITH gone AS (DELETE FROM jobs` + held + ` RETURNING ` + carried + `),
kept AS (
  INSERT INTO dead_jobs (` + carried + `, state)
  SELECT ` + carried + `, 'dead' FROM gone),
noted AS (
  INSERT INTO job_failures (job_id, worker, attempt, error, stack)
  SELECT id, worker, attempt, ` + nthError + `, ` + nthStack + ` FROM gone)
SELECT id, now() FROM gone`

const failSQL = `-- queue.fail
WITH waiting AS (
  UPDATE jobs SET state = 'queued', token = 0,
         run_at = now() + ($5::interval[])[array_position($1, id)]` + held + uncancelled + `
  RETURNING id, worker, attempt, run_at),
noted AS (
  INSERT INTO job_failures (job_id, worker, attempt, error, stack)
  SELECT id, worker, attempt, ` + nthError + `, ` + nthStack + ` FROM waiting)
SELECT id, run_at FROM waiting`

const returnSQL = `-- queue.return
UPDATE jobs SET state = 'queued', token = 0, attempt = attempt - 1,
       run_at = coalesce(now() + ($3::interval[])[array_position($1, id)], run_at)` +
	held + uncancelled + `
RETURNING id, run_at`

// A handler whose COMMIT broke off does not know, but a row that its transaction
// still holds is waited for here.
const unsettledSQL = `-- queue.unsettled
SELECT id, run_at FROM jobs` + held + ` FOR UPDATE`

// A record is endings on their way through one batch: grouped by fate, and then,
// but for the completed, which of them the database found held.
type record struct {
	groups    [fates][]*ending
	completed int64               // how many
	found     map[int64]time.Time // of the others, by id: the next run_at, or when it ended
}

// newRecord groups endings.
func newRecord(endings []*ending) *record {
	rec := &record{}
	for _, e := range endings {
		rec.groups[e.fate] = append(rec.groups[e.fate], e)
	}
	return rec
}

// queue adds rec's statements to a batch.
func (rec *record) queue(batch *pgx.Batch) {
	for f, group := range rec.groups {
		if len(group) == 0 {
			continue
		}
		ids, tokens := claimsOf(group)
		switch fate(f) {
		case completed:
			batch.Queue(completeSQL, ids, tokens)
		case discarded:
			errs, stacks := texts(group)
			batch.Queue(discardSQL, ids, tokens, errs, stacks)
		case dead:
			errs, stacks := texts(group)
			batch.Queue(buryDeadSQL, ids, tokens, errs, stacks)
		case failed:
			errs, stacks := texts(group)
			batch.Queue(failSQL, ids, tokens, errs, stacks, waits(group))
		case returned:
			batch.Queue(returnSQL, ids, tokens, waits(group))
		case cancelled:
			batch.Queue(cancelSQL, ids, tokens)
		case settled:
			batch.Queue(unsettledSQL, ids, tokens)
		}
	}
}

// claimsOf returns what held wants of endings.
func claimsOf(endings []*ending) (ids, tokens []int64) {
	ids, tokens = make([]int64, len(endings)), make([]int64, len(endings))
	for i, e := range endings {
		ids[i], tokens[i] = e.claim.id, e.claim.token
	}
	return ids, tokens
}

func texts(group []*ending) (errs, stacks []string) {
	for _, e := range group {
		errs = append(errs, storable(errorText(e.err), maxErrorRunes))
		stacks = append(stacks, storableStack(e.stack))
	}
	return errs, stacks
}

func waits(group []*ending) (waits []*time.Duration) {
	for _, e := range group {
		waits = append(waits, e.wait)
	}
	return waits
}

// read reads the results of what queue added.
func (rec *record) read(results pgx.BatchResults) error {
	for f, group := range rec.groups {
		if len(group) == 0 {
			continue
		}
		if fate(f) == completed {
			tag, err := results.Exec()
			if err != nil {
				return err
			}
			rec.completed = tag.RowsAffected()
			continue
		}
		rows, err := results.Query()
		if err != nil {
			return err
		}
		var (
			id    int64
			runAt time.Time
		)
		_, err = pgx.ForEachRow(rows, []any{&id, &runAt}, func() error {
			if rec.found == nil {
				rec.found = make(map[int64]time.Time)
			}
			rec.found[id] = runAt
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
