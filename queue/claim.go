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

// One statement claims for all queues. $1 and $2 are the queues and how many jobs
// each may take, $3 the kinds that have a handler here, $4 this worker, $5 the new
// token, $6 the tokens of claims whose reply was lost, $7 whether the suspect slot
// is free.
//
// The rows are picked in a CTE of their own, since an UPDATE … FROM with a LIMIT
// below it may update more than that, and updated by id = ANY, since a join to a
// table whose statistics say it is empty would compare each row with each.
//
// A row that is running is taken if its worker lives no more. That is judged by
// this statement's snapshot, in which whoever claimed before this transaction began
// is registered, so a newcomer's claim is not taken for an orphan's. A lost run is
// no attempt, and counts as lost. A job that would run for the third time that way
// is a suspect: one is taken, and only if none runs here, so that when it kills this
// process too, no other suspect's claim is lost with it.
//
// The small numbers come as one, which unpack takes apart: five columns more were 2 % of
// the server's work for a job, and as much again of this process'.
const claimSQL = `-- queue.claim
WITH picked AS MATERIALIZED (
  SELECT j.id, j.losses = 2 AS suspect
    FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS q (name, free, nth)
   CROSS JOIN LATERAL (
     SELECT j.id, j.losses
       FROM generate_series(1, 4) AS p (priority)
      CROSS JOIN LATERAL (
        SELECT id, lost_count + CASE state WHEN 'running' THEN 1 ELSE 0 END AS losses
          FROM jobs
         WHERE queue = q.name AND priority = p.priority AND run_at <= now()
           AND (run_at, id + 0) > (($8::timestamptz[])[4 * q.nth + p.priority - 4],
                                   ($9::bigint[])[4 * q.nth + p.priority - 4])
           AND kind = ANY ($3::text[])
           AND (state = 'queued'
                OR $10
                   AND (token = ANY ($6::bigint[])
                        OR claimed_at < now()
                           AND worker <> ALL (ARRAY(SELECT id FROM workers WHERE state = 'live'))))
           AND (lost_count + CASE state WHEN 'running' THEN 1 ELSE 0 END <> 2 OR $7)
         ORDER BY run_at, id + 0
         LIMIT q.free
         FOR UPDATE SKIP LOCKED) j
      LIMIT q.free) j
   WHERE q.name <> ALL (ARRAY(SELECT name FROM queues WHERE paused_at IS NOT NULL))
     AND EXISTS (SELECT FROM workers WHERE id = $4 AND state = 'live'))
UPDATE jobs
   SET state = 'running', token = $5, worker = $4, claimed_at = now(),
       attempt = attempt + CASE state WHEN 'queued' THEN 1 ELSE 0 END,
       lost_count = least(3, lost_count + CASE
         WHEN state = 'running' AND token <> ALL ($6) THEN 1 ELSE 0 END)
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

	sweep  bool        // whether it looks for lost jobs, too
	strays []int64     // tokens of claims whose reply never came
	at     []time.Time // of the positions behind which to look: four for each queue
	id     []int64
	began  time.Time
}

// newToken draws a fencing token: what a claim in another life of the database, or
// after a failover, would not have.
func newToken() int64 { return rand.Int64N(1<<63-1) + 1 }

// queueClaim adds a claim for w to a batch, whose result readClaim reads.
func (l *loop) queueClaim(batch *pgx.Batch, w *wish) {
	batch.Queue(claimSQL, w.queues, w.free, l.kinds, l.id.Load(), w.token, w.strays, w.suspect,
		w.at, w.id, w.sweep)
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
