// Here: waiting for the demo's jobs, without waiting for those that wait.

package main

import (
	"context"
	"fmt"
	"time"
)

// A moment is how far the demo is.
type moment struct {
	Busy, Waiting         int64 // jobs: due or running; waiting for their time
	Settled, Orders       int64
	MailsDone, MailsToSee int64
}

const momentSQL = `-- worker.moment
SELECT j.busy, j.waiting, o.settled, o.all, m.done, o.processed
  FROM (SELECT count(*) FILTER (WHERE state = 'running' OR run_at <= clock_timestamp()) AS busy,
               count(*) FILTER (WHERE state = 'queued' AND run_at > clock_timestamp()) AS waiting
          FROM jobs) j,
       (SELECT count(*) FILTER (WHERE status <> 'placed') AS settled, count(*) AS all,
               count(*) FILTER (WHERE status = 'processed') AS processed
          FROM orders) o,
       (SELECT count(*) FILTER (WHERE state <> 'sending' AND kind = 'confirmation') AS done
          FROM mail_deliveries) m`

func (d *demoRun) look(ctx context.Context) (m moment, err error) {
	err = d.stage.db.QueryRow(ctx, momentSQL).
		Scan(&m.Busy, &m.Waiting, &m.Settled, &m.Orders, &m.MailsDone, &m.MailsToSee)
	if err != nil {
		return m, fmt.Errorf("look how far the jobs are: %w", err)
	}
	return m, nil
}

// settle returns when no job is left.
func (d *demoRun) settle(ctx context.Context) error {
	for {
		began := time.Now()
		m, err := d.look(ctx)
		if err != nil {
			return err
		}
		d.settled.set(m.Settled, m.Orders)
		d.sent.set(m.MailsDone, m.MailsToSee)
		switch {
		case m.Busy == 0 && m.Waiting == 0:
			return nil
		case m.Busy == 0 && d.skipWaits:
			if err := d.skip(ctx); err != nil {
				return err
			}
		}
		// A look at many rows takes its time; it is not to be what the database does.
		pause := max(50*time.Millisecond, 10*time.Since(began))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

const skipWaitsSQL = `-- worker.skip_waits
WITH waiting AS MATERIALIZED (
  SELECT id, run_at FROM jobs WHERE state = 'queued' AND run_at > clock_timestamp()
     FOR UPDATE SKIP LOCKED
), moved AS (
  UPDATE jobs SET run_at = clock_timestamp() WHERE id = ANY(ARRAY(SELECT id FROM waiting))
)
SELECT count(*), coalesce(extract(epoch FROM max(run_at) - clock_timestamp()), 0)::float8
  FROM waiting`

// skip moves the jobs that wait to the present. They wait side by side, so what is
// skipped is the longest of their waits.
func (d *demoRun) skip(ctx context.Context) error {
	var n int64
	var seconds float64
	if err := d.stage.db.QueryRow(ctx, skipWaitsSQL).Scan(&n, &seconds); err != nil {
		return fmt.Errorf("move waiting jobs to the present: %w", err)
	}
	d.skipped += time.Duration(seconds * float64(time.Second))
	if n > 0 {
		fmt.Fprintf(d.progress, "only %d jobs are left that wait to be tried again: "+
			"moved to the present, %.0f s skipped\n", n, seconds)
	}
	return nil
}
