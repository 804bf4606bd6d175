// Here: what a worker costs that has nothing to do.

package bench

import (
	"context"
	"errors"
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
	if err := wait(ctx, rest); err != nil {
		return r, err
	}
	runtime.GC()
	before, err := readCommits(ctx, db)
	if err != nil {
		return r, err
	}
	began, sent, cpu := time.Now(), probe.statements.Load(), cpuTime()
	failed := o.watch(ctx, c)
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

// watch waits. It looks once a second: each time takes of what is measured.
func (o IdleOptions) watch(ctx context.Context, c *crew) error {
	progress, seconds := o.Progress.orNone(), int(max(o.For.Seconds(), 1))
	for done := time.Duration(0); done < o.For; done += time.Second {
		progress("idle, seconds", int(done.Seconds()), seconds)
		if err := errors.Join(wait(ctx, min(time.Second, o.For-done)), c.check()); err != nil {
			return err
		}
	}
	progress("idle, seconds", seconds, seconds)
	return nil
}

const commitsSQL = `-- bench.commits
SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`

// readCommits returns how many transactions the database has counted. A session hands in
// its own after a second.
func readCommits(ctx context.Context, db *pgxpool.Pool) (n int64, err error) {
	err = db.QueryRow(ctx, commitsSQL).Scan(&n)
	return n, err
}
