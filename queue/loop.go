// Here: the loops that record what ended and claim what may start, both in one round
// trip. While a batch is on its way, whatever ends forms the next: so batches grow with
// the load. There are two loops, so that the database has something to do while this
// process reads and starts what a batch brought; the second joins when a whole batch
// has gathered.

package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	batchLimit   = 1500 // endings in a batch, and claims of a queue
	batchTimeout = 10 * time.Second
	pollInterval = time.Second
	longestPause = 5 * time.Second
)

// loop turns until ctx ends: when attempts have ended and, if it leads, at each poll and
// insert of this process. After an error it pauses, longer each time, and takes a new
// connection.
func (r *run) loop(ctx context.Context, leads bool) {
	l := &loop{run: r, leads: leads, naps: len(naps)}
	defer l.close()
	var wake chan struct{}
	poll := time.NewTimer(pollInterval)
	poll.Stop()
	if leads {
		wake = sleepers.add()
		defer sleepers.remove(wake)
		poll.Reset(0)
	}
	var pause time.Duration
	for {
		l.polls = false
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-r.slots.bell:
		case <-poll.C:
			l.polls = leads
			l.naps = min(l.naps+1, len(naps))
		}
		if err := l.turn(ctx); err != nil && ctx.Err() == nil {
			l.close()
			r.pulse.failed()
			r.report(fmt.Errorf("queue: claim and finish: %w", err))
			pause = min(2*pause+50*time.Millisecond, longestPause)
			sleep(ctx, jittered(pause))
		} else {
			pause = 0
		}
		switch {
		case r.slots.waits():
			poll.Reset(holdLimit)
		case l.naps < len(naps):
			poll.Reset(naps[l.naps])
		case leads:
			poll.Reset(jittered(pollInterval))
		}
	}
}

// jittered spreads d by a fifth, so that processes do not keep step.
func jittered(d time.Duration) time.Duration {
	return d*9/10 + rand.N(d/5+1)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// A loop is what one loop keeps from batch to batch.
type loop struct {
	*run
	leads bool
	polls bool      // this turn is that of a poll
	idle  bool      // the last claim left room
	naps  int       // how many it has taken since it fell asleep
	conn  *pgx.Conn // nil if it has to be made
}

// turn sends a batch, if there is something to do.
func (l *loop) turn(ctx context.Context) error {
	if l.leads {
		l.pulse.turned()
	}
	if l.conn == nil || l.conn.IsClosed() {
		conn, err := l.connect(ctx)
		if err != nil {
			return err
		}
		l.conn = conn
	}
	if l.polls {
		if err := l.recordAside(ctx); err != nil {
			return err
		}
	}
	l.slots.giveBackLate()
	claims := l.id.Load() != 0 && // else nobody could tell yet whose a claim is
		!(l.polls && l.asleep.Load() && l.naps == len(naps)) // then sweeps look for jobs
	endings, wish := l.slots.gather(batchLimit, claims)
	if len(endings) == 0 && wish == nil {
		return nil
	}
	more, err := l.recordAndClaim(ctx, endings, wish)
	l.slots.landed(wish, more)
	if wish != nil {
		ring(l.lanes.claimed)
	}
	if err == nil && l.idle {
		err = l.doze(ctx)
	}
	return err
}

// recordAndClaim sends a batch and starts what it claims. It says whether there may
// be more to claim.
func (l *loop) recordAndClaim(
	ctx context.Context, endings []*ending, w *wish,
) (more bool, err error) {
	l.idle = false
	if w != nil {
		l.lanes.begin(w)
	}
	jobs, err := l.send(ctx, endings, w)
	if splittable(err) && len(endings) > 0 { // else the claim is the matter
		return false, l.recordParts(ctx, endings)
	}
	if err != nil || w == nil {
		return false, err
	}
	more = l.lanes.end(w, jobs)
	l.idle = !more
	l.claimed.Add(int64(len(jobs)))
	l.start(jobs, w.token)
	l.pulse.claimed()
	return more, nil
}

// Half of these settings keep the planner to the indexes, whatever the statistics
// of a table that was empty a moment ago say. So a plan that is made once serves all
// batches of a connection; to plan each anew was a third of the server's work for small
// ones. Up to Postgres 17 the settings make plans so dear on paper that they would be
// compiled: JIT took 294 of a claim's 295 ms. The last ones bound what a row that an
// operator's open transaction holds, or a server in trouble, can hold up.
const settingsSQL = `-- queue.settings
SELECT now(), ARRAY[
         set_config('plan_cache_mode', 'force_generic_plan', true),
         set_config('enable_seqscan', 'off', true),
         set_config('enable_bitmapscan', 'off', true),
         set_config('enable_sort', 'off', true),
         set_config('jit', 'off', true),
         set_config('lock_timeout', '1s', true),
         set_config('statement_timeout', '8s', true),
         ` + commitDurably + `]`

// send records endings and claims what w wishes, if any, in one transaction and one
// round trip. On an error nothing was recorded, unless the connection broke: then
// nobody knows, and the endings, queued again, find out.
func (l *loop) send(ctx context.Context, endings []*ending, w *wish) ([]*attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	batch.Queue(settingsSQL)
	rec := newRecord(endings)
	rec.queue(batch)
	if w != nil {
		l.queueClaim(batch, w)
	}
	batch.Queue("COMMIT")

	results := l.conn.SendBatch(ctx, batch)
	jobs, err := l.readBatch(results, rec, w != nil)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		l.afterwards(ctx, rec)
		return jobs, nil
	}
	if l.conn.IsClosed() {
		if w != nil {
			l.lanes.stray(w.token)
		}
	} else if _, rollbackErr := l.conn.Exec(ctx, "ROLLBACK"); rollbackErr != nil {
		err = rollbackErr // which ended the connection, and so the transaction
	}
	if !splittable(err) {
		l.slots.again(endings...)
	}
	return nil, err
}

// close drops the connection.
func (l *loop) close() {
	if l.conn != nil {
		closeConn(l.conn)
		l.conn = nil
	}
}

// readBatch reads the results of send's statements in their order.
func (l *loop) readBatch(
	results pgx.BatchResults, rec record, claims bool,
) (jobs []*attempt, err error) {
	if _, err := results.Exec(); err != nil { // BEGIN
		return nil, err
	}
	var now time.Time
	if err := results.QueryRow().Scan(&now, nil); err != nil { // the settings
		return nil, err
	}
	if err := rec.read(results); err != nil {
		return nil, err
	}
	if claims {
		if jobs, err = l.readClaim(results, now); err != nil {
			return nil, err
		}
	}
	_, err = results.Exec() // COMMIT
	return jobs, err
}
