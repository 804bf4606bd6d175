// Here: what plain SQL of the same form drains, without a queue around it.

package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A form is how plain SQL drains: by so many loops, each of which finishes and claims so
// many jobs in a transaction.
type form struct{ loops, batch int }

// workerBatch is how many jobs a worker claims in one transaction at most.
const workerBatch = 1000

// drainPlainly claims and finishes all jobs, and counts what it finishes.
func drainPlainly(ctx context.Context, db *pgxpool.Pool, f form, finished *atomic.Int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for range f.loops {
		running.Go(func() {
			if err := loopPlainly(ctx, db, f.batch, finished); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// loopPlainly claims and finishes until there is nothing left to claim.
func loopPlainly(
	ctx context.Context, db *pgxpool.Pool, size int, finished *atomic.Int64,
) (err error) {
	conn, err := pgx.ConnectConfig(ctx, db.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	p := &plainLoop{conn: conn, size: size, at: time.Unix(0, 0)}
	for {
		ended := len(p.ids)
		if err := p.turn(ctx); err != nil {
			return err
		}
		finished.Add(int64(ended))
		if len(p.ids) == 0 {
			return nil
		}
	}
}

// A plainLoop is what a loop keeps from batch to batch: what it has claimed, and the
// last position, from which the next claim goes on.
type plainLoop struct {
	conn  *pgx.Conn
	size  int // of a batch
	ids   []int64
	token int64
	at    time.Time
	id    int64
}

const plainSettingsSQL = `-- bench.plain_settings
SELECT set_config('plan_cache_mode', 'force_generic_plan', true),
       set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true),
       set_config('enable_sort', 'off', true),
       set_config('jit', 'off', true),
       set_config('lock_timeout', '1s', true),
       set_config('statement_timeout', '8s', true),
       set_config('synchronous_commit',
         CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
         ELSE current_setting('synchronous_commit') END, true)`

const plainColumns = `id, run_at, created_at, token, claimed_at, worker, priority, attempt,
  max_attempts, lost_count, kind, queue, args, unique_key, parent_id, tags, meta`

const plainFinishSQL = `-- bench.plain_finish
WITH gone AS (
  DELETE FROM jobs
   WHERE id = ANY ($1) AND token = $2
  RETURNING ` + plainColumns + `)
INSERT INTO finished_jobs (` + plainColumns + `, state)
SELECT ` + plainColumns + `, 'completed' FROM gone`

const plainClaimSQL = `-- bench.plain_claim
WITH picked AS MATERIALIZED (
  SELECT id FROM jobs
   WHERE queue = 'default' AND priority = 2 AND run_at <= now()
     AND (run_at, id + 0) > ($1, $2)
     AND state = 'queued'
   ORDER BY run_at, id + 0
   LIMIT $3
   FOR UPDATE SKIP LOCKED)
UPDATE jobs
   SET state = 'running', attempt = attempt + 1, worker = 1, token = $4, claimed_at = now()
 WHERE id = ANY (ARRAY(SELECT id FROM picked))
RETURNING id, run_at, args`

// turn finishes what is claimed and claims what comes next, in one transaction and one
// round trip.
func (p *plainLoop) turn(ctx context.Context) error {
	ended := p.token
	p.token = rand.Int64N(1<<63-1) + 1
	batch := &pgx.Batch{}
	before := 2
	batch.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	batch.Queue(plainSettingsSQL)
	if len(p.ids) > 0 {
		batch.Queue(plainFinishSQL, p.ids, ended)
		before++
	}
	batch.Queue(plainClaimSQL, p.at, p.id, p.size, p.token)
	batch.Queue("COMMIT")
	results := p.conn.SendBatch(ctx, batch)
	err := p.read(results, before)
	return errors.Join(err, results.Close())
}

// read reads the results of turn, of which so many come before the claim's.
func (p *plainLoop) read(results pgx.BatchResults, before int) error {
	for range before {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	p.ids = p.ids[:0]
	rows, err := results.Query()
	if err != nil {
		return err
	}
	var (
		id    int64
		runAt time.Time
		args  []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &runAt, &args}, func() error {
		p.ids = append(p.ids, id)
		if runAt.After(p.at) || runAt.Equal(p.at) && id > p.id {
			p.at, p.id = runAt, id
		}
		return nil
	})
	return err
}
