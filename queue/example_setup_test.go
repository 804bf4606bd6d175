package queue_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// What all examples share. They print no IDs and no times of day, and each begins
// with empty tables, so that none depends on another.
var (
	ctx = context.Background()
	q   queue.Client
)

// The database of all examples, from the first one on.
var (
	shared       *pgxpool.Pool
	dropDatabase = func() error { return nil }
)

const (
	guestsSQL = `
CREATE TABLE guests (
  name text PRIMARY KEY,
  status text NOT NULL DEFAULT 'expected')`

	// On tables as small as these DELETE is faster than TRUNCATE.
	emptySQL = `
DELETE FROM jobs; DELETE FROM dead_jobs; DELETE FROM finished_jobs;
DELETE FROM job_failures; DELETE FROM workers; DELETE FROM queues; DELETE FROM guests`
)

// database returns a pool on a database with empty tables: the queue's, and guests.
func database() *pgxpool.Pool {
	if shared == nil {
		var err error
		if shared, dropDatabase, err = pgtest.Open("example"); err != nil {
			log.Fatal(err)
		}
		if _, err := shared.Exec(ctx, guestsSQL); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := shared.Exec(ctx, emptySQL); err != nil {
		log.Fatal(err)
	}
	return shared
}

// work runs w until no job is running or due.
func work(w *queue.Worker) {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	go func() {
		defer stop()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil && !finished(w) {
			<-tick.C
		}
	}()
	w.Logger = cmp.Or(w.Logger, slog.New(slog.DiscardHandler))
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// finished reports whether w has looked for jobs and there is none to run.
func finished(w *queue.Worker) bool {
	if _, ready := w.Health(); ready != nil {
		return false
	}
	stats, err := q.Stats(ctx, w.DB)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range stats {
		if s.Running > 0 || s.Ready > 0 && !s.Paused {
			return false
		}
	}
	return true
}

// A manual is the tests and, after them, the examples.
type manual struct{ *testing.M }

// Run drops the examples' database before anyone looks for goroutines.
func (m manual) Run() int {
	code := m.M.Run()
	if err := dropDatabase(); err != nil {
		log.Fatal(err)
	}
	return code
}

// skipExamples does for the examples what t.Skip does for a test.
func skipExamples(reason error) {
	fmt.Fprintln(os.Stderr, "the examples are skipped:", reason)
	skip := "^Example"
	if given := flag.Lookup("test.skip").Value.String(); given != "" {
		skip += "|" + given
	}
	if err := flag.Set("test.skip", skip); err != nil {
		log.Fatal(err)
	}
}
