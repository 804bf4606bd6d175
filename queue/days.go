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
	busyInterval     = 5 * time.Second
	day              = 24 * time.Hour
	defaultRetention = 7 * day
)

// wholeDays rounds d up.
func wholeDays(d time.Duration) time.Duration { return (d + day - 1).Truncate(day) }

// keepDays makes the partitions of finished_jobs for the days to come and drops those
// that are past the retention, at once and then each hour until ctx ends; sooner again
// if a day was in use. What is finished on a day that has none goes to the default
// partition, and moves when its day is made.
func (r *run) keepDays(ctx context.Context) {
	for ctx.Err() == nil {
		busy, err := r.keepDaysOnce(ctx)
		if err != nil && ctx.Err() == nil {
			r.report(fmt.Errorf("queue: keep the partitions of finished_jobs: %w", err))
		}
		if busy {
			sleep(ctx, jittered(busyInterval))
		} else {
			sleep(ctx, jittered(daysInterval))
		}
	}
}

func (r *run) keepDaysOnce(ctx context.Context) (busy bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	conn, err := r.connect(ctx)
	if err != nil {
		return false, err
	}
	defer closeConn(conn)
	if err := makeDays(ctx, conn); err != nil {
		return false, err
	}
	busy, err = r.dropDays(ctx, conn)
	if err != nil {
		return busy, err
	}
	return busy, forgetWorkers(ctx, conn, r.retention)
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

// dropDays drops days until none is past the retention, or one is in use.
func (r *run) dropDays(ctx context.Context, conn *pgx.Conn) (busy bool, err error) {
	for {
		var name *string
		err := conn.QueryRow(ctx, dropDaySQL, r.retention).Scan(&name)
		switch {
		case err != nil || name == nil:
			return false, err
		case *name == "":
			return true, nil
		}
		r.log.Info("dropped a day of finished jobs", "partition", *name, "retention", r.retention)
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
