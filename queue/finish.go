// Here: how an attempt's end gets on record. Each way to end has one statement,
// which takes any number of jobs, touches only those whose claim still holds and
// joins nothing to jobs.

package queue

import (
	"cmp"
	"slices"
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

// held picks the rows of the ids in $1 that the claim with token $2 still holds. The
// array finds them by the primary key, in the order of their ids. Pairs of id and token
// in one statement, hashed, would serve several claims at once: they were a tenth of the
// server's work for a job.
const held = `
 WHERE id = ANY ($1) AND token = $2`

// nthError and nthStack are the elements of the arrays that belong to a row:
// what a join would bring, but for what the planner may make of one. The ids ascend, so
// that this is a binary search.
const (
	nthError = `($3::text[])[width_bucket(id, $1)]`
	nthStack = `($4::text[])[width_bucket(id, $1)]`
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
         run_at = now() + ($5::interval[])[width_bucket(id, $1)]` + held + uncancelled + `
  RETURNING id, worker, attempt, run_at),
noted AS (
  INSERT INTO job_failures (job_id, worker, attempt, error, stack)
  SELECT id, worker, attempt, ` + nthError + `, ` + nthStack + ` FROM waiting)
SELECT id, run_at FROM waiting`

const returnSQL = `-- queue.return
UPDATE jobs SET state = 'queued', token = 0, attempt = attempt - 1,
       run_at = coalesce(now() + ($3::interval[])[width_bucket(id, $1)], run_at)` +
	held + uncancelled + `
RETURNING id, run_at`

// A handler whose COMMIT broke off does not know, but a row that its transaction
// still holds is waited for here.
const unsettledSQL = `-- queue.unsettled
SELECT id, run_at FROM jobs` + held + ` FOR UPDATE`

// A record is endings on their way through one batch.
type record []*group

// A group is endings that one statement records: of one claim, and with one fate.
type group struct {
	fate    fate
	token   int64
	endings []*ending

	// What the database found held: how many of the completed, and which of others, with
	// their next run_at or when they ended.
	completed int64
	found     map[int64]time.Time
}

// newRecord groups endings.
func newRecord(endings []*ending) (rec record) {
	for _, e := range endings {
		g := rec.of(e.fate, e.claim.token)
		if g == nil {
			g = &group{fate: e.fate, token: e.claim.token}
			rec = append(rec, g)
		}
		g.endings = append(g.endings, e)
	}
	for _, g := range rec {
		if g.fate != completed { // nthError and its like search by id
			slices.SortFunc(g.endings, func(a, b *ending) int {
				return cmp.Compare(a.claim.id, b.claim.id)
			})
		}
	}
	return rec
}

// of returns the group of a fate and a claim. It is mostly the last one.
func (rec record) of(f fate, token int64) *group {
	for _, g := range slices.Backward(rec) {
		if g.fate == f && g.token == token {
			return g
		}
	}
	return nil
}

// queue adds rec's statements to a batch.
func (rec record) queue(batch *pgx.Batch) {
	for _, g := range rec {
		ids := idsOf(g.endings)
		switch g.fate {
		case completed:
			batch.Queue(completeSQL, ids, g.token)
		case discarded:
			errs, stacks := texts(g.endings)
			batch.Queue(discardSQL, ids, g.token, errs, stacks)
		case dead:
			errs, stacks := texts(g.endings)
			batch.Queue(buryDeadSQL, ids, g.token, errs, stacks)
		case failed:
			errs, stacks := texts(g.endings)
			batch.Queue(failSQL, ids, g.token, errs, stacks, waits(g.endings))
		case returned:
			batch.Queue(returnSQL, ids, g.token, waits(g.endings))
		case cancelled:
			batch.Queue(cancelSQL, ids, g.token)
		case settled:
			batch.Queue(unsettledSQL, ids, g.token)
		}
	}
}

func idsOf(endings []*ending) []int64 {
	ids := make([]int64, len(endings))
	for i, e := range endings {
		ids[i] = e.claim.id
	}
	return ids
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
func (rec record) read(results pgx.BatchResults) error {
	for _, g := range rec {
		if g.fate == completed {
			tag, err := results.Exec()
			if err != nil {
				return err
			}
			g.completed = tag.RowsAffected()
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
			if g.found == nil {
				g.found = make(map[int64]time.Time)
			}
			g.found[id] = runAt
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
