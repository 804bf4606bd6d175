// Here: work while an open transaction keeps vacuum from removing anything.

package bench

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// XminOptions say what [Xmin] measures. Times are in whole seconds.
type XminOptions struct {
	Free    time.Duration // before the transaction; at least a second
	Held    time.Duration // while it is open; at least a second
	Recover time.Duration // how long at most to wait for recovery after it

	// Rate is how many jobs a second are inserted, by the clock. 0 is a drain: jobs are
	// inserted so that there is always a backlog.
	Rate     float64
	Backlog  int      // of the drain
	Progress Progress // may be nil
}

// An XminResult is what became of the work.
type XminResult struct {
	JobsFree     float64 `json:"jobs_per_second_free"` // finished, by the history
	JobsHeld     float64 `json:"jobs_per_second_held"`
	ClaimP50Free float64 `json:"claim_p50_ms_free"` // a batch of finish and claim
	ClaimP50Held float64 `json:"claim_p50_ms_held"`
	ClaimP99Free float64 `json:"claim_p99_ms_free"`
	ClaimP99Held float64 `json:"claim_p99_ms_held"`

	// From when a job was due until the transaction began that claimed it, by the
	// database's clock. Told where jobs come by a rate: else they wait for their turn.
	PickupP50Free float64 `json:"pickup_p50_ms_free,omitzero"`
	PickupP50Held float64 `json:"pickup_p50_ms_held,omitzero"`
	PickupP99Free float64 `json:"pickup_p99_ms_free,omitzero"`
	PickupP99Held float64 `json:"pickup_p99_ms_held,omitzero"`

	DeadTuples int64 `json:"dead_tuples"` // of the table jobs, when the transaction ended
	Bytes      int64 `json:"jobs_bytes"`  // of the table jobs, and its indexes, then

	// Recovery is when the first second after the transaction was over in which the
	// p99 of claims was below 1.5 times that of the free phase.
	Recovered bool    `json:"recovered"`
	Recovery  float64 `json:"recovery_seconds"`

	BucketsFree []Bucket     `json:"claim_buckets_free"`
	BucketsHeld []Bucket     `json:"claim_buckets_held"`
	Seconds     []XminSecond `json:"seconds"`
}

// An XminSecond is what happened in one second.
type XminSecond struct {
	Second   int     `json:"second"`
	Phase    string  `json:"phase"` // "free", "held" or "after"
	Finished int     `json:"finished"`
	ClaimP99 float64 `json:"claim_p99_ms"`
	Dead     int64   `json:"dead_tuples"` // at its end
	Bytes    int64   `json:"jobs_bytes"`
}

// The phases of an [XminSecond].
const (
	PhaseFree  = "free"
	PhaseHeld  = "held"
	PhaseAfter = "after"
)

// recovered times the p99 of the free phase is near enough to it.
const recovered = 1.5

// Xmin measures how fast one worker, with its default settings and a handler that does
// nothing, works a queue that others fill: first alone, then while a REPEATABLE READ
// transaction with an xid and a snapshot stays open beside it, then until it is as fast
// as before. Jobs are counted by the history; a claim is timed from when its batch is
// sent until the last answer has been read.
//
// After an error it returns what it has along with it.
func Xmin(ctx context.Context, db *pgxpool.Pool, o XminOptions) (r XminResult, err error) {
	if o.Free < time.Second || o.Held < time.Second || o.Rate < 0 {
		return r, fmt.Errorf("bench: xmin: %v and then %v at a rate of %v is nothing to measure",
			o.Free, o.Held, o.Rate)
	}
	const batch = 5000 // of a COPY
	f, err := startFlow(ctx, db, supply{
		inserters: 1, batch: batch, backlog: max(batch, o.Backlog), rate: o.Rate,
	})
	if err != nil {
		return r, err
	}
	x := &xminer{flow: f, options: o, progress: o.Progress.orNone()}
	err = x.measure(ctx)
	if len(x.seconds) > 0 {
		err = cmp.Or(err, x.sum(ctx))
	}
	return x.result, f.end(err)
}

// An xminer is one measurement.
type xminer struct {
	*flow
	options  XminOptions
	progress Progress
	zero     instant
	seconds  []XminSecond
	result   XminResult
}

// measure goes through the phases, second by second.
func (x *xminer) measure(ctx context.Context) error {
	const warm = 2 * time.Second
	if err := x.crew.ready(ctx); err != nil {
		return err
	}
	if err := x.watch(ctx, warm, func(time.Duration) {}); err != nil {
		return err
	}
	var err error
	if x.zero, err = readInstant(ctx, x.db); err != nil {
		return err
	}
	for range int(x.options.Free / time.Second) {
		if err := x.second(ctx, PhaseFree); err != nil {
			return err
		}
	}
	if err := x.held(ctx); err != nil {
		return err
	}
	return x.recover(ctx)
}

const holdSQL = `-- bench.hold
SELECT pg_current_xact_id(), set_config('idle_in_transaction_session_timeout', '0', true)`

// held is the phase in which a transaction is open.
func (x *xminer) held(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, x.db.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // ends the transaction
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, holdSQL); err != nil {
		return err
	}
	for range int(x.options.Held / time.Second) {
		if err := x.second(ctx, PhaseHeld); err != nil {
			return err
		}
	}
	return tx.Rollback(ctx)
}

// recover goes on until the worker is as fast as before, or patience ends.
func (x *xminer) recover(ctx context.Context) error {
	free := x.claims(PhaseFree)
	enough := recovered * quantile(free, 0.99)
	for range int(x.options.Recover / time.Second) {
		if err := x.second(ctx, PhaseAfter); err != nil {
			return err
		}
		x.result.Recovery++
		last := x.seconds[len(x.seconds)-1]
		if last.ClaimP99 > 0 && last.ClaimP99 < enough {
			x.result.Recovered = true
			return nil
		}
	}
	return nil
}

const bloatSQL = `-- bench.bloat
SELECT n_dead_tup, pg_total_relation_size(relid)
  FROM pg_stat_user_tables WHERE relid = 'jobs'::regclass`

// second lets the flow go on for the next second of a phase, and notes how it went.
func (x *xminer) second(ctx context.Context, phase string) error {
	n := len(x.seconds)
	from, to := x.at(n), x.at(n+1)
	total := int((x.options.Free + x.options.Held) / time.Second)
	x.progress("xmin, "+phase+", seconds", min(n, total), total)
	if err := x.watch(ctx, time.Until(to.here), func(time.Duration) {}); err != nil {
		return err
	}
	s := XminSecond{Second: n, Phase: phase}
	if err := x.db.QueryRow(ctx, bloatSQL).Scan(&s.Dead, &s.Bytes); err != nil {
		return err
	}
	s.ClaimP99 = quantile(trips(x.probe.since(from.here), from.here, to.here), 0.99)
	x.seconds = append(x.seconds, s)
	return nil
}

// at is when the nth second begins.
func (x *xminer) at(n int) instant { return x.zero.after(time.Duration(n) * time.Second) }

// phase returns the first second of a phase, and that after its last.
func (x *xminer) phase(name string) (from, to int) {
	for n, s := range x.seconds {
		if s.Phase == name {
			if to == 0 {
				from = n
			}
			to = n + 1
		}
	}
	return from, to
}

// claims returns how long the claims of a phase took, in milliseconds, sorted.
func (x *xminer) claims(phase string) []float64 {
	from, to := x.phase(phase)
	return trips(x.probe.since(x.at(from).here), x.at(from).here, x.at(to).here)
}

// sum sums up the seconds, also when ctx has ended.
func (x *xminer) sum(ctx context.Context) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	finished, err := pace(ctx, x.db, x.zero.there, len(x.seconds))
	if err != nil {
		return err
	}
	r := &x.result
	r.Seconds = x.seconds
	for n := range r.Seconds {
		r.Seconds[n].Finished = finished[n]
		if r.Seconds[n].Phase != PhaseAfter {
			r.DeadTuples, r.Bytes = r.Seconds[n].Dead, r.Seconds[n].Bytes
		}
	}
	free, held := x.claims(PhaseFree), x.claims(PhaseHeld)
	r.JobsFree, r.JobsHeld = x.speed(PhaseFree), x.speed(PhaseHeld)
	r.ClaimP50Free, r.ClaimP50Held = quantile(free, 0.5), quantile(held, 0.5)
	r.ClaimP99Free, r.ClaimP99Held = quantile(free, 0.99), quantile(held, 0.99)
	r.BucketsFree, r.BucketsHeld = buckets(free), buckets(held)
	if x.options.Rate == 0 {
		return nil
	}
	r.PickupP50Free, r.PickupP99Free, err = x.pickup(ctx, PhaseFree)
	if err != nil {
		return err
	}
	r.PickupP50Held, r.PickupP99Held, err = x.pickup(ctx, PhaseHeld)
	return err
}

// speed is how many jobs a second were finished in a phase.
func (x *xminer) speed(phase string) float64 {
	from, to := x.phase(phase)
	if to == 0 {
		return 0
	}
	jobs := 0
	for _, s := range x.seconds[from:to] {
		jobs += s.Finished
	}
	return rounded(float64(jobs)/float64(to-from), 1)
}

const pickupSQL = `-- bench.pickup
SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), 0),
       coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY ms), 0)
  FROM (SELECT extract(epoch FROM claimed_at - run_at)::float8 * 1000 AS ms
          FROM finished_jobs WHERE claimed_at >= $1 AND claimed_at < $2) waits`

// pickup returns how long the jobs waited that were claimed in a phase, in milliseconds.
func (x *xminer) pickup(ctx context.Context, phase string) (p50, p99 float64, err error) {
	from, to := x.phase(phase)
	err = x.db.QueryRow(ctx, pickupSQL, x.at(from).there, x.at(to).there).Scan(&p50, &p99)
	return rounded(p50, 3), rounded(p99, 3), err
}
