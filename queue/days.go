// Here: the partitions of finished_jobs.

package queue

import (
	"context"
	"fmt"
	"time"
)

const (
	daysAhead    = 7
	daysInterval = time.Hour
)

const makeDaysSQL = `-- queue.make_days
SELECT make_finished_days($1)`

// makeDays makes the partitions of finished_jobs for the days to come, at once and
// then each hour until ctx ends. What is finished on a day that has none goes to the
// default partition, and moves when its day is made.
func (r *run) makeDays(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.makeDaysOnce(ctx); err != nil && ctx.Err() == nil {
			r.report(fmt.Errorf("queue: make partitions of finished_jobs: %w", err))
		}
		sleep(ctx, jittered(daysInterval))
	}
}

func (r *run) makeDaysOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	_, err = conn.Exec(ctx, makeDaysSQL, daysAhead)
	return err
}
