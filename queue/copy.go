// Here: many plain jobs at once, by COPY.

package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// copyLeast is from how many plain jobs on COPY is worth its further round trip.
const copyLeast = 1000

// COPY returns no ids and evaluates nothing, so the ids are drawn before, and the
// database's time with them. There are none for a role that may not draw any, nor
// where row-level security rules out COPY. To look the sequence up for each id, as the
// planner would, took half as long as to copy the rows.
const drawSQL = `-- queue.draw
WITH s (jobs) AS MATERIALIZED (SELECT pg_get_serial_sequence('jobs', 'id')::regclass)
SELECT array_agg(nextval(s.jobs)), clock_timestamp() FROM s, generate_series(1, $1)
 WHERE has_sequence_privilege(s.jobs, 'USAGE') AND NOT row_security_active('jobs')`

var copiedColumns = []string{
	"id", "kind", "queue", "priority", "max_attempts", "args", "run_at",
}

// copyPlain stores entries, which have no keys, and returns their ids, in order. It
// returns nil, and has stored nothing, where COPY is not to be had.
func copyPlain(ctx context.Context, tx pgx.Tx, entries []*entry) ([]int64, error) {
	var (
		ids []int64
		now time.Time
	)
	err := tx.QueryRow(ctx, drawSQL, len(entries)).Scan(&ids, &now)
	if err != nil || ids == nil {
		return nil, err
	}
	row := make([]any, len(copiedColumns))
	source := pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
		e := entries[i]
		row[0], row[1], row[2], row[3], row[4], row[5], row[6] =
			ids[i], e.kind, e.queue, e.priority, e.maxAttempts, e.args, e.due(now)
		return row, nil
	})
	stored, err := tx.CopyFrom(ctx, pgx.Identifier{"jobs"}, copiedColumns, source)
	if err != nil {
		return nil, err
	}
	if stored != int64(len(ids)) { // a trigger of somebody's
		return nil, fmt.Errorf("%d of %d jobs were stored", stored, len(ids))
	}
	return ids, nil
}

// due returns when e may run, if the database's clock says now.
func (e *entry) due(now time.Time) time.Time {
	at := now
	if e.runAt != nil {
		at = *e.runAt
	}
	if at = at.Add(e.delay); at.Before(now) {
		return now
	}
	return at
}
