// Here: how jobs are taken.

package queue

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// claimable is what a claim may take: a job that waits, or one whose worker lives no
// more. That is judged by the statement's snapshot, in which whoever claimed before the
// transaction began is registered, so a newcomer's claim is not taken for an orphan's.
// $3 are the tokens of claims whose reply was lost.
const claimable = `(state = 'queued'
      OR token = ANY ($3::bigint[])
      OR claimed_at < now()
         AND worker <> ALL (ARRAY(SELECT id FROM workers WHERE state = 'live')))`

// paused are the queues from which nothing is claimed.
const paused = `(ARRAY(SELECT name FROM queues WHERE paused_at IS NOT NULL))`

// One statement claims for all queues. $1 and $5 are the queues and how many jobs each
// may take beyond the positions $6 and $7 of its lanes, $2 the kinds that have a handler
// here, $4 this worker, $8 what sweeps have found, $9 whether the suspect slot is free,
// $10 the new token.
//
// What was found may have been snoozed since. IS TRUE keeps the planner to the index of
// ids.
//
// The rows are picked in CTEs of their own, since an UPDATE … FROM with a LIMIT
// below it may update more than that, and updated by id = ANY, since a join to a
// table whose statistics say it is empty would compare each row with each.
//
// A lost run is no attempt, and counts as lost. A job that would run for the third time
// that way is a suspect: one is taken, and only if none runs here, so that when it kills
// this process too, no other suspect's claim is lost with it.
//
// The small numbers come as one, which unpack takes apart: five columns more were 2 % of
// the server's work for a job, and as much again of this process'.
const claimSQL = `-- queue.claim
WITH ahead AS MATERIALIZED (
  SELECT j.id, j.lost_count = 2 AS suspect
    FROM unnest($1::text[], $5::integer[]) WITH ORDINALITY AS q (name, free, nth)
   CROSS JOIN LATERAL (
     SELECT j.id, j.lost_count
       FROM generate_series(1, 4) AS p (priority)
      CROSS JOIN LATERAL (
        SELECT id, lost_count
          FROM jobs
         WHERE queue = q.name AND priority = p.priority AND run_at <= now()
           AND (run_at, id + 0) > (($6::timestamptz[])[4 * q.nth + p.priority - 4],
                                   ($7::bigint[])[4 * q.nth + p.priority - 4])
           AND kind = ANY ($2::text[])
           AND state = 'queued' AND (lost_count <> 2 OR $9)
         ORDER BY run_at, id + 0
         LIMIT q.free
         FOR UPDATE SKIP LOCKED) j
      LIMIT q.free) j
   WHERE q.name <> ALL ` + paused + `
     AND EXISTS (SELECT FROM workers WHERE id = $4 AND state = 'live')),
behind AS MATERIALIZED (
  SELECT id, lost_count + CASE state WHEN 'running' THEN 1 ELSE 0 END = 2 AS suspect
    FROM jobs
   WHERE id = ANY ($8::bigint[]) AND (run_at <= now()) IS TRUE
     AND ` + claimable + `
     AND (lost_count + CASE state WHEN 'running' THEN 1 ELSE 0 END <> 2 OR $9)
     AND queue <> ALL ` + paused + `
     AND EXISTS (SELECT FROM workers WHERE id = $4 AND state = 'live')
     FOR UPDATE SKIP LOCKED),
picked AS (TABLE ahead UNION ALL TABLE behind)
UPDATE jobs
   SET state = 'running', token = $10, worker = $4, claimed_at = now(),
       attempt = attempt + CASE state WHEN 'queued' THEN 1 ELSE 0 END,
       lost_count = least(3, lost_count + CASE
         WHEN state = 'running' AND token <> ALL ($3) THEN 1 ELSE 0 END)
 WHERE id = ANY (ARRAY(SELECT id FROM picked WHERE NOT suspect)
                 || ARRAY(SELECT id FROM picked WHERE suspect LIMIT 1))
RETURNING id, kind, queue, args, unique_key, run_at, created_at,
          priority::bigint << 16 | attempt << 16 | max_attempts << 8 | lost_count << 8
            | cancelling::integer`

// A wish is what a claim asks for.
type wish struct {
	queues  []string
	free    []int32 // slots of each
	suspect bool    // whether a suspect may run
	token   int64   // what the claimed rows will carry
	began   time.Time

	ahead  []int32     // of free, for jobs beyond the cursors
	at     []time.Time // of these: four for each queue
	id     []int64
	found  []int64 // behind them, sorted
	strays []int64 // tokens of claims whose reply never came
}

// newToken draws a fencing token: what a claim in another life of the database, or
// after a failover, would not have.
func newToken() int64 { return rand.Int64N(1<<63-1) + 1 }

// queueClaim adds a claim for w to a batch, whose result readClaim reads.
func (l *loop) queueClaim(batch *pgx.Batch, w *wish) {
	batch.Queue(claimSQL, w.queues, l.kinds, w.strays, l.id.Load(), w.ahead, w.at, w.id, w.found,
		w.suspect, w.token)
}

// readClaim returns the jobs that were claimed now, in the order in which they should
// start.
func (l *loop) readClaim(results pgx.BatchResults, now time.Time) ([]*attempt, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	var (
		jobs    []*attempt
		into    []any
		unique  pgtype.Text
		numbers int64
	)
	for rows.Next() {
		a := newAttempt()
		j := &a.job
		// Names that are known here need no copy each.
		raw := rows.RawValues()
		a.handler, a.queue = l.handlers[string(raw[1])], l.slots.byName[string(raw[2])]
		j.State, j.Worker = StateRunning, l.name
		j.Kind, j.Queue = a.handler.kind, a.queue.name
		into = append(into[:0], &j.ID, nil, nil, (*[]byte)(&j.Args), &unique, &j.RunAt,
			&j.CreatedAt, &numbers)
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		j.Unique, j.ClaimedAt = unique.String, now
		a.unpack(numbers)
		jobs = append(jobs, a)
	}
	slices.SortFunc(jobs, func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(a.job.Priority, b.job.Priority),
			a.job.RunAt.Compare(b.job.RunAt), cmp.Compare(a.job.ID, b.job.ID))
	})
	return jobs, rows.Err()
}

// unpack takes the small numbers of a row out of the one in which a claim returns them.
func (a *attempt) unpack(n int64) {
	a.job.Priority = int(n >> 48)
	a.job.Attempt = int(n >> 32 & 0xffff)
	a.job.MaxAttempts = int(n >> 16 & 0xffff)
	a.job.Lost = int(n >> 8 & 0xff)
	a.cancelling = n&1 == 1
}
