// Here: the partitions of finished_jobs, which is what is kept of jobs that are over.

package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	daysAhead        = 7
	daysInterval     = time.Hour
	day              = 24 * time.Hour
	defaultRetention = 7 * day
)

// wholeDays rounds d up.
func wholeDays(d time.Duration) time.Duration { return (d + day - 1).Truncate(day) }

// keepDays makes the partitions of finished_jobs for the days to come and drops those
// that are past the retention, at once and then each hour until ctx ends. What is
// finished on a day that has none goes to the default partition, and moves when its
// day is made.
func (r *run) keepDays(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.keepDaysOnce(ctx); err != nil && ctx.Err() == nil {
			r.report(fmt.Errorf("queue: keep the partitions of finished_jobs: %w", err))
		}
		sleep(ctx, jittered(daysInterval))
	}
}

func (r *run) keepDaysOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	conn, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	if err := makeDays(ctx, conn); err != nil {
		return err
	}
	dropped, err := dropDays(ctx, conn, r.retention)
	if dropped > 0 {
		r.log.Info("dropped old days of finished jobs", "days", dropped, "retention", r.retention)
	}
	if err != nil {
		return err
	}
	return forgetWorkers(ctx, conn, r.retention)
}

const makeDaysSQL = `-- queue.make_days
SELECT make_finished_days($1)`

// makeDays also has the parent analysed if it made a day: no autovacuum does that.
func makeDays(ctx context.Context, conn *pgx.Conn) error {
	var made int
	if err := conn.QueryRow(ctx, makeDaysSQL, daysAhead).Scan(&made); err != nil || made == 0 {
		return err
	}
	_, err := conn.Exec(ctx, "ANALYZE finished_jobs")
	return err
}

const dropDaySQL = `-- queue.drop_day
SELECT drop_finished_day($1)`

func dropDays(ctx context.Context, conn *pgx.Conn, keep time.Duration) (dropped int, err error) {
	for {
		var name *string
		if err := conn.QueryRow(ctx, dropDaySQL, keep).Scan(&name); err != nil || name == nil {
			return dropped, err
		}
		dropped++
	}
}

// A dead job goes on naming the worker that had it.
const forgetWorkersSQL = `-- queue.forget_workers
DELETE FROM workers w
 WHERE state <> 'live' AND ended_at < now() - $1::interval
   AND NOT EXISTS (SELECT FROM dead_jobs d WHERE d.worker = w.id)`

func forgetWorkers(ctx context.Context, conn *pgx.Conn, keep time.Duration) error {
	_, err := conn.Exec(ctx, forgetWorkersSQL, keep)
	return err
}
