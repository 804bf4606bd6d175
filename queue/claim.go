// Here: how jobs are taken.

package queue

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/jackc/pgx/v5"
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
const claimSQL = `-- queue.claim
WITH picked AS MATERIALIZED (
  SELECT j.id, j.losses = 2 AS suspect
    FROM unnest($1::text[], $2::integer[]) AS q (name, free)
   CROSS JOIN LATERAL (
     SELECT j.id, j.losses
       FROM generate_series(1, 4) AS p (priority)
      CROSS JOIN LATERAL (
        SELECT id, lost_count + CASE state WHEN 'running' THEN 1 ELSE 0 END AS losses
          FROM jobs
         WHERE queue = q.name AND priority = p.priority AND run_at <= now()
           AND kind = ANY ($3::text[])
           AND (state = 'queued'
                OR token = ANY ($6::bigint[])
                OR claimed_at < now()
                   AND worker <> ALL (ARRAY(SELECT id FROM workers WHERE state = 'live')))
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
RETURNING id, kind, queue, priority, args, coalesce(unique_key, ''), attempt, max_attempts,
          lost_count, run_at, created_at, claimed_at, cancelling`

// A wish is what a claim asks for.
type wish struct {
	queues  []string
	free    []int32 // slots of each
	suspect bool    // whether a suspect may run
	token   int64   // what the claimed rows will carry
}

// full says whether a claim that brought so many jobs of each queue may have left
// some behind.
func (w *wish) full(jobs []claimed) bool {
	got := make(map[string]int32, len(w.queues))
	for _, j := range jobs {
		got[j.Queue]++
	}
	for i, q := range w.queues {
		if got[q] == w.free[i] {
			return true
		}
	}
	return false
}

// newToken draws a fencing token: what a claim in another life of the database, or
// after a failover, would not have.
func newToken() int64 { return rand.Int64N(1<<63-1) + 1 }

// queueClaim adds a claim for w to a batch, whose result readClaim reads.
func (l *loop) queueClaim(batch *pgx.Batch, w *wish) {
	batch.Queue(claimSQL, w.queues, w.free, l.kinds, l.id.Load(), w.token, l.strays, w.suspect)
}

// A claimed job may have been called off before its last process died.
type claimed struct {
	*JobRow
	cancelling bool
}

// readClaim returns the claimed jobs in the order in which they should start.
func (l *loop) readClaim(results pgx.BatchResults) ([]claimed, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	jobs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (claimed, error) {
		j := claimed{JobRow: &JobRow{State: StateRunning, Worker: l.name}}
		err := row.Scan(&j.ID, &j.Kind, &j.Queue, &j.Priority, (*[]byte)(&j.Args), &j.Unique,
			&j.Attempt, &j.MaxAttempts, &j.Lost, &j.RunAt, &j.CreatedAt, &j.ClaimedAt,
			&j.cancelling)
		return j, err
	})
	slices.SortFunc(jobs, func(a, b claimed) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.RunAt.Compare(b.RunAt),
			cmp.Compare(a.ID, b.ID))
	})
	return jobs, err
}
