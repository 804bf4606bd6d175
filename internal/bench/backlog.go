// Here: what a claimed job costs when the tables are full.

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// BacklogOptions say what [Backlog] measures.
type BacklogOptions struct {
	Scenarios []string // of [BacklogScenarios], beside "small"
	Jobs      int      // that are worked in each run; at least 1
	Runs      int      // of each scenario; at least 1
	Scale     float64  // of what is in the tables beside these jobs; above 0
	Analyze   bool     // ANALYZE jobs and dead_jobs when they are filled
	Progress  Progress // may be nil
}

// A BacklogResult is what was found in each scenario.
type BacklogResult struct {
	Jobs      int              `json:"jobs"` // of each run
	Scale     float64          `json:"scale"`
	Analyzed  bool             `json:"analyzed"`
	Scenarios []BacklogFigures `json:"scenarios"`
}

// BacklogFigures are what the runs of a scenario come to: medians.
type BacklogFigures struct {
	Scenario      string    `json:"scenario"`
	Rows          int       `json:"rows"` // beside the jobs that are worked
	JobsPerSecond float64   `json:"jobs_per_second"`
	WAL           float64   `json:"wal_bytes_per_job"`
	Buffers       float64   `json:"buffers_per_job"`         // pages asked for, read or not
	Ratio         float64   `json:"ratio_to_small,omitzero"` // of the time that a job takes
	Runs          []float64 `json:"runs"`                    // jobs a second of each

	wals, buffers []float64
}

// A scenario is what is in the tables beside the jobs that are worked.
type scenario struct {
	name       string
	rows       int           // beside
	ahead      time.Duration // from now, when they are due
	dead       bool          // they are in dead_jobs
	queues     int           // in which they are; 0 is the default queue alone
	served     int           // how many of them the worker serves
	priorities bool          // all jobs have one of four, in turn
}

const small = "small"

func scenarios() []scenario {
	const million = 1_000_000
	return []scenario{
		{name: small},
		{name: "1m", rows: million},
		{name: "scheduled", rows: million, ahead: 24 * time.Hour},
		{name: "dead", rows: 5 * million, dead: true},
		{name: "queues", rows: million, queues: 10_000, served: 10},
		{name: "priorities", rows: million, priorities: true},
		{name: "10m", rows: 10 * million},
	}
}

// BacklogScenarios are the scenarios beside "small", to which they are compared: a
// million jobs that are due, or scheduled; five million dead ones; ten thousand queues,
// of which the worker serves ten; four priorities; and ten million jobs that are due.
func BacklogScenarios() (names []string) {
	for _, s := range scenarios()[1:] {
		names = append(names, s.name)
	}
	return names
}

// Backlog measures what a job costs one worker, with its default settings and a handler
// that does nothing, while the tables are full of others: beside a table that has little
// more than the jobs that are worked. A run ends when so many are finished, as the
// database has answered. The tables are filled anew for each run, autovacuum is off for
// them, and nothing analyzes them, so the planner knows nothing.
//
// After an error it returns what it has along with it.
func Backlog(ctx context.Context, db *pgxpool.Pool, o BacklogOptions) (r BacklogResult, err error) {
	r = BacklogResult{Jobs: o.Jobs, Scale: o.Scale, Analyzed: o.Analyze}
	if o.Jobs < 1 || o.Runs < 1 || !(o.Scale > 0) {
		return r, fmt.Errorf("bench: backlog: %d jobs in %d runs at scale %v is nothing to measure",
			o.Jobs, o.Runs, o.Scale)
	}
	b := &backlogger{db: db, options: o, progress: o.Progress.orNone()}
	if _, err := db.Exec(ctx, noAutovacuumDDL); err != nil {
		return r, err
	}
	smalls := &BacklogFigures{Scenario: small}
	all := []*BacklogFigures{smalls}
	defer func() { r.Scenarios = sumBacklog(all) }()
	if len(o.Scenarios) == 0 {
		return r, b.runs(ctx, scenarios()[0], smalls, o.Runs)
	}
	for _, s := range scenarios()[1:] {
		if !slices.Contains(o.Scenarios, s.name) {
			continue
		}
		// One run of the small table before each, so that noise meets it, too.
		if err := b.runs(ctx, scenarios()[0], smalls, 1); err != nil {
			return r, err
		}
		s.rows = max(1, int(float64(s.rows)*o.Scale))
		figures := &BacklogFigures{Scenario: s.name, Rows: s.rows}
		all = append(all, figures)
		if err := b.runs(ctx, s, figures, o.Runs); err != nil {
			return r, err
		}
	}
	return r, nil
}

// sumBacklog returns the figures of the scenarios that have runs.
func sumBacklog(all []*BacklogFigures) (sums []BacklogFigures) {
	for _, f := range all {
		if len(f.Runs) == 0 {
			continue
		}
		f.JobsPerSecond = median(slices.Clone(f.Runs))
		f.WAL, f.Buffers = median(f.wals), median(f.buffers)
		if len(sums) > 0 {
			f.Ratio = rounded(sums[0].JobsPerSecond/f.JobsPerSecond, 3)
		}
		sums = append(sums, *f)
	}
	return sums
}

// A backlogger is one measurement.
type backlogger struct {
	db       *pgxpool.Pool
	options  BacklogOptions
	progress Progress
}

const noAutovacuumDDL = `-- bench.no_autovacuum
ALTER TABLE jobs SET (autovacuum_enabled = false);
ALTER TABLE dead_jobs SET (autovacuum_enabled = false)`

const emptyAllSQL = `-- bench.empty_all
TRUNCATE jobs, finished_jobs, dead_jobs`

// runs adds runs of a scenario to figures.
func (b *backlogger) runs(ctx context.Context, s scenario, into *BacklogFigures, runs int) error {
	for n := range runs {
		sql := emptySQL
		if n == 0 || !s.dead {
			sql = emptyAllSQL
		}
		if _, err := b.db.Exec(ctx, sql); err != nil {
			return err
		}
		if err := b.fill(ctx, s, s.dead && n > 0); err != nil {
			return fmt.Errorf("fill for %s: %w", s.name, err)
		}
		if err := b.run(ctx, s, into); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// Rows are made by the server, and one after the other is due.
const fillSQL = `-- bench.fill
INSERT INTO jobs (kind, queue, priority, args, run_at)
SELECT 'bench', CASE $2::integer WHEN 0 THEN 'default' ELSE 'q' || n % $2::integer END,
       CASE WHEN $3::boolean THEN 1 + n % 4 ELSE 2 END, jsonb_build_object('n', n),
       clock_timestamp() + $4::interval
  FROM generate_series(1, $1::integer) AS s (n)`

const fillDeadSQL = `-- bench.fill_dead
INSERT INTO dead_jobs (id, run_at, created_at, token, claimed_at, worker, state, priority,
       attempt, max_attempts, lost_count, kind, queue, args)
SELECT nextval(pg_get_serial_sequence('jobs', 'id')), now(), now(), 1, now(), 1, 'dead', 2,
       26, 26, 0, 'bench', 'default', jsonb_build_object('n', n)
  FROM generate_series(1, $1::integer) AS s (n)`

const flushSQL = `-- bench.flush
SELECT pg_stat_force_next_flush()`

const analyzeSQL = `-- bench.analyze
ANALYZE jobs, dead_jobs`

// fill puts the scenario's rows into the tables, unless they are there, and then the jobs
// that are worked, and a few more: a run shall not end for want of jobs.
func (b *backlogger) fill(ctx context.Context, s scenario, filled bool) error {
	const more, chunk = 20_000, 100_000 // a chunk is what an interrupt waits for
	conn, err := b.db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	insert := func(rows int, sql string, args ...any) error {
		for done := 0; done < rows; done += chunk {
			b.progress("fill for "+s.name, done, rows)
			part := min(chunk, rows-done)
			if _, err := conn.Exec(ctx, sql, append([]any{part}, args...)...); err != nil {
				return err
			}
		}
		return nil
	}
	if s.dead && !filled {
		err = insert(s.rows, fillDeadSQL)
	} else if !s.dead {
		err = insert(s.rows, fillSQL, s.queues, s.priorities, s.ahead)
	}
	if err != nil {
		return err
	}
	err = insert(b.options.Jobs+more, fillSQL, s.served, s.priorities, time.Duration(0))
	if err != nil {
		return err
	}
	if b.options.Analyze {
		if _, err := conn.Exec(ctx, analyzeSQL); err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, flushSQL) // what it has counted
	return err
}

const buffersSQL = `-- bench.buffers
SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()`

func readBuffers(ctx context.Context, db *pgxpool.Pool) (n int64, err error) {
	err = db.QueryRow(ctx, buffersSQL).Scan(&n)
	return n, err
}

const countFinishedSQL = `-- bench.count_finished
SELECT count(*) FROM finished_jobs`

// run has a worker finish the jobs once. The counters are read when it has gone, since a
// session hands in what it has counted at its end, and go by all that it has finished.
func (b *backlogger) run(ctx context.Context, s scenario, into *BacklogFigures) error {
	if _, err := checkpoint(ctx, b.db); err != nil {
		return err
	}
	before, err := readCounters(ctx, b.db)
	if err != nil {
		return err
	}
	buffers, err := readBuffers(ctx, b.db)
	if err != nil {
		return err
	}
	perSecond, err := b.work(ctx, s)
	if err != nil {
		return err
	}
	var finished int64
	after, err := settled(ctx, b.db, before.updates+int64(b.options.Jobs))
	if err != nil {
		return err
	}
	buffersAfter, err := readBuffers(ctx, b.db)
	if err != nil {
		return err
	}
	if err := b.db.QueryRow(ctx, countFinishedSQL).Scan(&finished); err != nil {
		return err
	}
	into.Runs = append(into.Runs, rounded(perSecond, 1))
	into.wals = append(into.wals, rounded((after.wal-before.wal)/float64(finished), 1))
	into.buffers = append(into.buffers, rounded(float64(buffersAfter-buffers)/float64(finished), 2))
	return nil
}

// work has a worker finish so many jobs, and returns how many a second it finished: from
// when its first claim was sent until the database had answered for enough of them.
func (b *backlogger) work(ctx context.Context, s scenario) (perSecond float64, err error) {
	const pause = 2 * time.Millisecond
	probe, own, err := listen(ctx, b.db)
	if err != nil {
		return 0, err
	}
	defer own.Close()
	var queues []queue.Queue
	for n := range s.served {
		queues = append(queues, queue.Queue{
			Name: fmt.Sprintf("q%d", n), Slots: int(own.Config().MaxConns),
		})
	}
	c := startCrew(ctx, own, queues, doing(func(int) {}))
	err = c.leave(func() error {
		for {
			finished := probe.finished.Load()
			b.progress(s.name, int(min(finished, int64(b.options.Jobs))), b.options.Jobs)
			if finished >= int64(b.options.Jobs) {
				first := probe.since(time.Time{})[0]
				took := time.Since(first.at.Add(-first.took))
				perSecond = float64(finished) / took.Seconds()
				return nil
			}
			if err := errors.Join(c.check(), wait(ctx, pause)); err != nil {
				return err
			}
		}
	}())
	return perSecond, err
}
