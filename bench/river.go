// Here: River, a job queue for Go on Postgres.

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// A riverPeer is River with the settings of its own benchmark, or with its defaults.
type riverPeer struct {
	ledger
	tuned     bool
	producers *pgxpool.Pool         // their own, so as not to take the worker's connections
	client    *river.Client[pgx.Tx] // inserts
}

// River has no default number of workers; its documentation sets 100. It fetches at
// most ten times a second by default, and so no more jobs than ten times that.
const riverWorkers = 100

func (r *riverPeer) open(ctx context.Context, s *stores) (About, error) {
	a := About{
		Name: "River, default", Store: "Postgres",
		Version: versionOf("github.com/riverqueue/river"),
		Settings: fmt.Sprintf("MaxWorkers %d, FetchCooldown 100 ms, so at most %s jobs/s",
			riverWorkers, thousands(10*riverWorkers)),
		Source:  "https://pkg.go.dev/github.com/riverqueue/river",
		Insert:  "InsertManyFast (COPY), 10,000 a call",
		History: "row in river_job, 24 hours",
	}
	database := "river_default"
	if r.tuned {
		database, a.Name = "river", "River"
		a.Settings = "MaxWorkers %s, FetchCooldown 2 ms, " +
			"FetchPollInterval 20 ms"
		a.Variants = []int{1000, 2000}
		a.Source = "https://github.com/riverqueue/river, cmd/river/riverbench"
	}
	url, err := s.postgres.database(ctx, database)
	if err != nil {
		return a, err
	}
	if r.db, err = pgxpool.New(ctx, url); err != nil {
		return a, err
	}
	if r.producers, err = pgxpool.New(ctx, url); err != nil {
		return a, err
	}
	if err := r.migrate(ctx); err != nil {
		return a, errors.Join(err, r.close())
	}
	r.lastSQL = `SELECT coalesce(max(id), 0) FROM river_job`
	r.tailSQL = `SELECT EXISTS (SELECT FROM river_job WHERE id > $1 AND state <> 'completed')`
	r.countSQL = `SELECT $1::bigint - count(*) FROM river_job WHERE state = 'completed'`
	return a, nil
}

func (r *riverPeer) migrate(ctx context.Context) error {
	driver := riverpgxv5.New(r.db)
	quiet := slog.New(slog.DiscardHandler)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	r.client, err = river.NewClient(riverpgxv5.New(r.producers), &river.Config{Logger: quiet})
	return err
}

func (r *riverPeer) empty(ctx context.Context) error {
	_, err := r.db.Exec(ctx, "TRUNCATE river_job")
	return err
}

func (r *riverPeer) insert(ctx context.Context, jobs int) error {
	const perCall = 10_000
	for jobs > 0 {
		params := make([]river.InsertManyParams, min(jobs, perCall))
		for i := range params {
			params[i].Args = nothing{i}
		}
		if _, err := r.client.InsertManyFast(ctx, params); err != nil {
			return err
		}
		jobs -= len(params)
	}
	return nil
}

func (r *riverPeer) close() error {
	r.producers.Close()
	r.db.Close()
	return nil
}

func (r *riverPeer) hire(_ context.Context, maxWorkers int) (crew, error) {
	c := &riverCrew{}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[nothing]) error {
		c.count.Add(1)
		return nil
	}))
	config := &river.Config{
		Logger:  slog.New(slog.DiscardHandler),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}},
		Workers: workers,
	}
	if r.tuned {
		config.FetchCooldown, config.FetchPollInterval = 2*time.Millisecond, 20*time.Millisecond
		config.Queues[river.QueueDefault] = river.QueueConfig{MaxWorkers: maxWorkers}
	}
	var err error
	c.client, err = river.NewClient(riverpgxv5.New(r.db), config)
	return c, err
}

// A riverCrew is a Client that works.
type riverCrew struct {
	client  *river.Client[pgx.Tx]
	count   atomic.Int64
	started bool
}

func (c *riverCrew) start(ctx context.Context) error {
	c.started = true
	return c.client.Start(context.WithoutCancel(ctx))
}

func (c *riverCrew) ran() int     { return int(c.count.Load()) }
func (c *riverCrew) check() error { return nil }

func (c *riverCrew) stop() error {
	if !c.started {
		return nil
	}
	return c.client.Stop(context.Background())
}
