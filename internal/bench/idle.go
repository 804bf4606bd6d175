// Here: what a worker costs that has nothing to do.

package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// IdleOptions say what [Idle] measures.
type IdleOptions struct {
	For      time.Duration // above 0
	Progress Progress      // may be nil
}

// An IdleResult is what an idle worker does and takes.
type IdleResult struct {
	Seconds      float64 `json:"seconds"`
	Statements   float64 `json:"statements_per_second"`   // that it sent
	Transactions float64 `json:"transactions_per_second"` // of the database, whosever
	CPU          float64 `json:"cpu_percent,omitzero"`    // of one CPU, by this process
	RSS          int64   `json:"rss_bytes,omitzero"`      // of this process
	Heap         uint64  `json:"heap_bytes"`              // of Go, after a collection
}

// Idle measures what one worker with its default settings costs while there is no job:
// the statements that it sends, by a tracer of its connections, and what the process
// takes that it runs in, which does nothing else. It begins when the worker has come to
// rest.
//
// After an error it returns what it has along with it.
func Idle(ctx context.Context, db *pgxpool.Pool, o IdleOptions) (r IdleResult, err error) {
	if o.For <= 0 {
		return r, fmt.Errorf("bench: idle: %v is nothing to measure", o.For)
	}
	probe, own, err := listen(ctx, db)
	if err != nil {
		return r, err
	}
	defer own.Close()
	c := startCrew(ctx, own, nil, doing(func(int) {}))
	defer func() { err = c.leave(err) }()
	if err := c.ready(ctx); err != nil {
		return r, err
	}
	const rest = 2 * time.Second // polls come closer to each other before
	quiet := func(time.Duration) {}
	if err := watchFor(ctx, rest, c.check, quiet); err != nil {
		return r, err
	}
	runtime.GC()
	before, err := readCommits(ctx, db)
	if err != nil {
		return r, err
	}
	began, sent, cpu := time.Now(), probe.statements.Load(), cpuTime()
	progress := o.Progress.orNone()
	failed := watchFor(ctx, o.For, c.check, func(done time.Duration) {
		progress("idle, seconds", int(done.Seconds()), int(max(o.For.Seconds(), 1)))
	})
	took := time.Since(began).Seconds()
	r.Seconds = rounded(took, 3)
	r.Statements = rounded(float64(probe.statements.Load()-sent)/took, 2)
	r.CPU = rounded(100*(cpuTime()-cpu).Seconds()/took, 3)
	r.RSS = residentBytes()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.Heap = m.HeapAlloc
	if failed != nil {
		return r, failed
	}
	after, err := readCommits(ctx, db)
	r.Transactions = rounded(float64(after-before)/took, 2)
	return r, err
}

const commitsSQL = `-- bench.commits
SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`

// readCommits returns how many transactions the database has counted. A session hands in
// its own after a second.
func readCommits(ctx context.Context, db *pgxpool.Pool) (n int64, err error) {
	err = db.QueryRow(ctx, commitsSQL).Scan(&n)
	return n, err
}
