// Here: reading.

package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

// rowOf are the columns of all_jobs that scanJob reads.
const rowOf = `id, kind, queue, state, priority, args, coalesce(unique_key, ''), attempt,
       max_attempts, lost_count, run_at, created_at, claimed_at, finished_at, coalesce(worker, '')`

const getSQL = `-- queue.get
SELECT ` + rowOf + `
  FROM all_jobs
 WHERE id = $1`

// Get returns a job, live or finished. A job that is not there, or no longer
// kept, is [ErrNotFound].
func (c *Client) Get(ctx context.Context, db DB, id int64) (*JobRow, error) {
	rows, _ := db.Query(ctx, getSQL, id) // CollectExactlyOneRow returns its error
	job, err := pgx.CollectExactlyOneRow(rows, scanJob)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("job %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("get job %d: %w", id, err)
	}
	return job, nil
}

// A Filter narrows [Client.List]. A zero field matches every job.
type Filter struct {
	Kind   string
	Queue  string
	State  State
	Before int64 // only IDs below it: where a page before ended
}

const listSQL = `-- queue.list
SELECT ` + rowOf + `
  FROM all_jobs
 WHERE ($1 = '' OR kind = $1) AND ($2 = '' OR queue = $2)
   AND ($3 = '' OR state = $3::text::job_state) AND id < $4
 ORDER BY id DESC
 LIMIT $5`

// List yields the jobs that match f, newest ID first, live and finished ones
// together. It reads pages of 200 by key, so that db is free while the loop's
// body runs, rows may change meanwhile, and a break costs nothing. After an
// error it ends.
//
// A State that is none, and a Kind or Queue that no job can have, is an
// [InvalidError].
func (c *Client) List(ctx context.Context, db DB, f Filter) iter.Seq2[*JobRow, error] {
	const page = 200
	return func(yield func(*JobRow, error) bool) {
		if invalid := f.check(); invalid != nil {
			yield(nil, invalid)
			return
		}
		before := cmp.Or(f.Before, math.MaxInt64)
		for {
			rows, _ := db.Query(ctx, listSQL, f.Kind, f.Queue, f.State, before, page)
			jobs, err := pgx.CollectRows(rows, scanJob) // returns Query's error too
			if err != nil {
				yield(nil, fmt.Errorf("list: %w", err))
				return
			}
			for _, job := range jobs {
				if !yield(job, nil) {
					return
				}
				before = job.ID
			}
			if len(jobs) < page {
				return
			}
		}
	}
}

// check returns what no job can match, or nil.
func (f Filter) check() *InvalidError {
	if reason := checkName(f.Kind); f.Kind != "" && reason != "" {
		return &InvalidError{Field: "Kind", Reason: reason}
	}
	if reason := checkName(f.Queue); f.Queue != "" && reason != "" {
		return &InvalidError{Field: "Queue", Reason: reason}
	}
	if reason := checkState(f.State); reason != "" {
		return &InvalidError{Field: "State", Reason: reason}
	}
	return nil
}

// checkState returns what is wrong with a filter's state, or "".
func checkState(s State) string {
	switch s {
	case "", StateQueued, StateRunning, StateDead, StateCompleted, StateCancelled, StateDiscarded:
		return ""
	}
	return fmt.Sprintf(
		"must be queued, running, dead, completed, cancelled or discarded, is %.40q", s)
}

// scanJob reads a row of rowOf's columns.
func scanJob(row pgx.CollectableRow) (*JobRow, error) {
	j := &JobRow{}
	var claimedAt, finishedAt *time.Time
	err := row.Scan(&j.ID, &j.Kind, &j.Queue, &j.State, &j.Priority, (*[]byte)(&j.Args), &j.Unique,
		&j.Attempt, &j.MaxAttempts, &j.Lost, &j.RunAt, &j.CreatedAt, &claimedAt, &finishedAt,
		&j.Worker)
	if claimedAt != nil {
		j.ClaimedAt = *claimedAt
	}
	if finishedAt != nil {
		j.FinishedAt = *finishedAt
	}
	return j, err
}

// A Failure is the record of one attempt that went wrong, kept as long as its
// job.
type Failure struct {
	Attempt int
	At      time.Time
	Worker  string // as in [JobRow]
	Error   string // at most 10,000 characters; NUL and broken UTF-8 replaced
	Stack   string // at most 16 KiB; "" unless the handler panicked or exited
}

const failuresSQL = `-- queue.failures
SELECT f.attempt, f.at, coalesce(w.name, '') AS worker, f.error, f.stack
  FROM job_failures f LEFT JOIN workers w ON w.id = f.worker
 WHERE f.job_id = $1
 ORDER BY f.at, f.attempt`

// Failures returns the failures of a job, oldest first; lost runs are not among
// them. A job that is not there is [ErrNotFound].
func (c *Client) Failures(ctx context.Context, db DB, id int64) ([]Failure, error) {
	rows, _ := db.Query(ctx, failuresSQL, id) // CollectRows returns its error
	failures, err := pgx.CollectRows(rows, pgx.RowToStructByName[Failure])
	if err != nil {
		return nil, fmt.Errorf("failures of job %d: %w", id, err)
	}
	if len(failures) == 0 {
		if _, err := c.Get(ctx, db, id); err != nil {
			return nil, err
		}
	}
	return failures, nil
}

// A QueueStats is how one queue stands. Counting stops at 10,001, which
// therefore means "more than 10,000": no queue is too long to ask about. What is
// beyond the first 20,000 due or waiting jobs of a queue and priority is not seen.
type QueueStats struct {
	Queue     string
	Paused    bool
	Ready     int           // queued and due
	Scheduled int           // queued, not due, no attempt yet
	Retrying  int           // queued, not due, after an attempt
	Running   int           // held by a worker
	Dead      int           // given up
	Latency   time.Duration // how long the first Ready job has been due; 0 if none is
}

// The names of live jobs are found by hopping from one to the next in the index.
const statsSQL = `-- queue.stats
WITH RECURSIVE live (name) AS (
  (SELECT queue::text FROM jobs ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT (SELECT queue::text FROM jobs WHERE queue > live.name ORDER BY queue LIMIT 1)
    FROM live WHERE live.name IS NOT NULL),
dead (name) AS (
  (SELECT queue::text FROM dead_jobs ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT (SELECT queue::text FROM dead_jobs WHERE queue > dead.name ORDER BY queue LIMIT 1)
    FROM dead WHERE dead.name IS NOT NULL),
named (name) AS (
  SELECT name FROM live WHERE name IS NOT NULL
  UNION SELECT name FROM dead WHERE name IS NOT NULL
  UNION SELECT unnest(queues) FROM workers WHERE state = 'live'
  UNION SELECT name::text FROM queues WHERE paused_at IS NOT NULL)
SELECT n.name,
       EXISTS (SELECT FROM queues q WHERE q.name = n.name AND q.paused_at IS NOT NULL),
       least(due.ready, $1 + 1), least(ahead.scheduled, $1 + 1), least(ahead.retrying, $1 + 1),
       least(due.running, $1 + 1),
       (SELECT count(*) FROM (SELECT FROM dead_jobs d WHERE d.queue = n.name LIMIT $1 + 1) d),
       coalesce(extract(epoch FROM clock_timestamp() - due.first), 0)::float8
  FROM named n
 CROSS JOIN LATERAL (
   SELECT count(*) FILTER (WHERE state = 'queued') AS ready,
          count(*) FILTER (WHERE state = 'running') AS running,
          min(run_at) FILTER (WHERE state = 'queued') AS first
     FROM generate_series(1, 4) AS p (priority)
    CROSS JOIN LATERAL (
      SELECT state, run_at FROM jobs
       WHERE queue = n.name AND priority = p.priority AND run_at <= now()
       ORDER BY run_at LIMIT 2 * $1) j) due
 CROSS JOIN LATERAL (
   SELECT count(*) FILTER (WHERE attempt = 0) AS scheduled,
          count(*) FILTER (WHERE attempt > 0) AS retrying
     FROM generate_series(1, 4) AS p (priority)
    CROSS JOIN LATERAL (
      SELECT attempt FROM jobs
       WHERE queue = n.name AND priority = p.priority AND run_at > now() AND state = 'queued'
       ORDER BY run_at LIMIT 2 * $1) j) ahead
 ORDER BY n.name`

// Stats returns how each queue stands, by name: those that have a live or dead
// job, a worker or a pause.
func (c *Client) Stats(ctx context.Context, db DB) ([]QueueStats, error) {
	const most = 10_000
	rows, _ := db.Query(ctx, statsSQL, most) // CollectRows returns its error
	stats, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s QueueStats, err error) {
		var late float64
		err = row.Scan(&s.Queue, &s.Paused, &s.Ready, &s.Scheduled, &s.Retrying, &s.Running,
			&s.Dead, &late)
		s.Latency = max(0, time.Duration(late*float64(time.Second)))
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("stats: %w", err)
	}
	return stats, nil
}

// A WorkerRow is a [Worker] that lives, in whichever process, as its last heartbeat
// left it.
type WorkerRow struct {
	Name      string   // as in [JobRow]
	Queues    []string // that it works
	Slots     int      // how many jobs it can run at once
	Running   int      // how many it ran
	StartedAt time.Time
	Silent    time.Duration // since the heartbeat; there is one each second
}

const workersSQL = `-- queue.workers
SELECT name, queues, slots, running, started_at,
       greatest(extract(epoch FROM clock_timestamp() - beat_at), 0)::float8
  FROM workers
 WHERE state = 'live'
 ORDER BY name, id`

// Workers returns the Workers that live, by name. One that has died is among them
// until another finds that out.
func (c *Client) Workers(ctx context.Context, db DB) ([]WorkerRow, error) {
	rows, _ := db.Query(ctx, workersSQL) // CollectRows returns its error
	workers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w WorkerRow, err error) {
		var silent float64
		err = row.Scan(&w.Name, &w.Queues, &w.Slots, &w.Running, &w.StartedAt, &silent)
		w.Silent = time.Duration(silent * float64(time.Second))
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("workers: %w", err)
	}
	return workers, nil
}
