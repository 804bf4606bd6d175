// Here: the bell. A worker that has nothing to do has inserts wake it by NOTIFY. While
// it is busy nobody notifies, since NOTIFY takes a lock of the whole cluster at commit,
// and the next claim is never far. A notification is a hint: polls find the same jobs,
// also where LISTEN does not work.

package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// busyJobs is how many jobs a second, claimed by all processes together, make a
	// worker one that nobody has to wake.
	busyJobs = 300

	// nap is how long such a one waits before it claims again, while it has free slots.
	nap = 2 * time.Millisecond
)

// doze has the bell ring for a loop that has room: when something is inserted or, where
// much is, soon. If jobs wait here for a slot, it soon rings anyway.
func (l *loop) doze(ctx context.Context) error {
	switch {
	case !l.busy.Load() && !l.asleep.Load():
		l.naps = 0
		return l.fallAsleep(ctx)
	case l.busy.Load() && !l.slots.waits() && !l.dozes.Swap(true):
		time.AfterFunc(nap, func() {
			l.dozes.Store(false)
			ring(l.slots.bell)
		})
	}
	return nil
}

// naps are the pauses between the polls that follow when a worker has fallen asleep: an
// insert that was under way then rings for nobody.
var naps = []time.Duration{
	5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond,
}

const asleepSQL = `-- queue.asleep
UPDATE workers SET asleep = true WHERE id = $1 AND state = 'live'`

// fallAsleep has inserts wake this process.
func (l *loop) fallAsleep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	err := readCommitted(ctx, l.conn, func(batch *pgx.Batch) {
		batch.Queue(asleepSQL, l.id.Load())
	})
	if err == nil {
		l.asleep.Store(true)
	}
	return err
}

const channelSQL = `-- queue.channel
SELECT 'rowlock_' || 'workers'::regclass::oid`

// listen has a new connection hear the bell.
func (h *heart) listen(ctx context.Context) error {
	var channel string
	if err := h.conn.QueryRow(ctx, channelSQL).Scan(&channel); err != nil {
		return err
	}
	_, err := h.conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize())
	ring(h.slots.bell) // for what was to be heard meanwhile
	return err
}

// hear waits for so long, and rings for a loop when the bell of one of its queues
// does.
func (h *heart) hear(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		heard, err := h.conn.WaitForNotification(ctx)
		if ctx.Err() != nil && !h.conn.IsClosed() {
			return nil // time for a beat
		}
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		if slices.ContainsFunc(h.queues, func(q Queue) bool { return q.Name == heard.Payload }) {
			ring(h.slots.bell)
		}
	}
}
