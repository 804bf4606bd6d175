// Here: many jobs that land at once on a table of which the planner knows nothing, or
// what is no longer true.

package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// BurstOptions say what [Burst] measures.
type BurstOptions struct {
	Jobs     int      // that land at once; at least 1
	Progress Progress // may be nil
}

// A BurstResult is what was found on each table.
type BurstResult struct {
	Jobs   int          `json:"jobs"`
	Tables []BurstTable `json:"tables"`
}

// A BurstTable is how it went on one. Batches are those that finish and claim, from when
// the jobs were inserted until all were finished.
type BurstTable struct {
	Table         string   `json:"table"` // "virgin", "analysed", "drained" or "rows"
	MaxBatch      float64  `json:"max_batch_ms"`
	P50           float64  `json:"p50_batch_ms"`
	P99           float64  `json:"p99_batch_ms"`
	Batches       int      `json:"batches"`
	JobsPerSecond float64  `json:"jobs_per_second"` // from before the insert
	Buckets       []Bucket `json:"buckets"`
}

// The tables of a [BurstTable]: one that was just made, one that was empty when ANALYZE
// looked, one that a worker has just drained, and one with 300 jobs that wait, as ANALYZE
// knows.
const (
	TableVirgin   = "virgin"
	TableAnalysed = "analysed"
	TableDrained  = "drained"
	TableRows     = "rows"
)

// Burst measures how long the longest batch takes of one worker, with its default
// settings and a handler that does nothing, that stands idle when jobs land in one
// transaction. Autovacuum is off for the table, so nobody analyzes it meanwhile.
//
// After an error it returns what it has along with it.
func Burst(ctx context.Context, db *pgxpool.Pool, o BurstOptions) (r BurstResult, err error) {
	r.Jobs = o.Jobs
	if o.Jobs < 1 {
		return r, fmt.Errorf("bench: burst: %d jobs are nothing to measure", o.Jobs)
	}
	if _, err := db.Exec(ctx, noAutovacuumDDL); err != nil {
		return r, err
	}
	b := &burster{db: db, jobs: o.Jobs, progress: o.Progress.orNone()}
	for _, table := range []string{TableVirgin, TableAnalysed, TableDrained, TableRows} {
		t, err := b.land(ctx, table)
		if err != nil {
			return r, fmt.Errorf("%s: %w", table, err)
		}
		r.Tables = append(r.Tables, t)
	}
	return r, nil
}

// A burster is one measurement.
type burster struct {
	db       *pgxpool.Pool
	jobs     int
	progress Progress
	probe    *probe
	crew     *crew
}

// prepare makes the table what it is to be before the worker is there.
func (b *burster) prepare(ctx context.Context, table string) error {
	const few = 300
	if table == TableVirgin {
		return nil // it comes first
	}
	if _, err := b.db.Exec(ctx, emptySQL); err != nil {
		return err
	}
	if table == TableRows {
		_, err := b.db.Exec(ctx, fillSQL, few, 0, false, 24*time.Hour)
		if err != nil {
			return err
		}
	}
	if table == TableDrained {
		return nil
	}
	_, err := b.db.Exec(ctx, analyzeSQL)
	return err
}

// land has the jobs land on a table.
func (b *burster) land(ctx context.Context, table string) (t BurstTable, err error) {
	if err := b.prepare(ctx, table); err != nil {
		return t, err
	}
	var own *pgxpool.Pool
	if b.probe, own, err = listen(ctx, b.db); err != nil {
		return t, err
	}
	defer own.Close()
	b.crew = startCrew(ctx, own, nil, doing(func(int) {}))
	defer func() { err = b.crew.leave(err) }()
	if err := b.crew.ready(ctx); err != nil {
		return t, err
	}
	if table == TableDrained {
		if err := b.burst(ctx, "drain first"); err != nil {
			return t, err
		}
	}
	began := time.Now()
	if err := b.burst(ctx, "burst, "+table); err != nil {
		return t, err
	}
	ended := time.Now()
	ms := trips(b.probe.since(began), began, ended)
	return BurstTable{
		Table: table, Batches: len(ms), Buckets: buckets(ms), MaxBatch: quantile(ms, 1),
		P50: quantile(ms, 0.5), P99: quantile(ms, 0.99),
		JobsPerSecond: rounded(float64(b.jobs)/ended.Sub(began).Seconds(), 1),
	}, nil
}

// burst inserts the jobs in one transaction, and returns when the database has answered
// that all are finished.
func (b *burster) burst(ctx context.Context, what string) error {
	const pause = 2 * time.Millisecond
	before := b.probe.finished.Load()
	var client queue.Client
	b.progress(what, 0, b.jobs)
	if _, err := client.InsertBatch(ctx, b.db, numbered(0, b.jobs)); err != nil {
		return err
	}
	for {
		finished := int(b.probe.finished.Load() - before)
		b.progress(what, min(finished, b.jobs), b.jobs)
		if finished >= b.jobs {
			return nil
		}
		if err := errors.Join(b.crew.check(), wait(ctx, pause)); err != nil {
			return err
		}
	}
}
