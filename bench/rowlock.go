// Here: rowlock, through its public API and with its default settings.

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/migrations"
	"github.com/rowlock/rowlock/queue"
)

// A rowlock is the queue of this repository.
type rowlock struct {
	ledger
	client queue.Client
}

// nothing is the job of the Go queues.
type nothing struct {
	N int `json:"n"`
}

// Kind makes it a job's arguments, for rowlock and for River.
func (nothing) Kind() string { return "bench" }

func (r *rowlock) open(ctx context.Context, s *stores) (About, error) {
	url, err := s.postgres.database(ctx, "rowlock")
	if err != nil {
		return About{}, err
	}
	if r.db, err = pgxpool.New(ctx, url); err != nil {
		return About{}, err
	}
	if _, err := migrations.Up(ctx, r.db); err != nil {
		return About{}, errors.Join(err, r.close())
	}
	r.lastSQL = `SELECT coalesce(max(id), 0) FROM jobs`
	r.tailSQL = `SELECT EXISTS (SELECT FROM jobs WHERE id > $1)`
	r.countSQL = `SELECT $1::bigint - count(*) FROM finished_jobs WHERE state = 'completed'`
	return About{
		Name: "rowlock", Version: "this tree", Store: "Postgres",
		Settings: fmt.Sprintf("defaults: one worker, %d slots, as many as the pool's connections",
			r.db.Config().MaxConns),
		Insert:  "InsertBatch",
		History: "row in finished_jobs, 7 days",
	}, nil
}

func (r *rowlock) empty(ctx context.Context) error {
	_, err := r.db.Exec(ctx, "TRUNCATE jobs, finished_jobs")
	return err
}

func (r *rowlock) insert(ctx context.Context, jobs int) error {
	_, err := r.client.InsertBatch(ctx, r.db, queue.Each(make([]nothing, jobs)))
	return err
}

func (r *rowlock) close() error {
	r.db.Close()
	return nil
}

func (r *rowlock) hire(ctx context.Context, _ int) (crew, error) {
	c := &rowlockCrew{ended: make(chan struct{}), trouble: make(chan error, 1)}
	c.worker = &queue.Worker{DB: r.db, Logger: slog.New(slog.DiscardHandler)}
	c.worker.OnError = func(_ context.Context, err error) {
		select {
		case c.trouble <- err:
		default:
		}
	}
	queue.HandleFunc(c.worker, func(context.Context, *queue.Job[nothing]) error {
		c.count.Add(1)
		return nil
	})
	return c, nil
}

// A rowlockCrew is a Worker.
type rowlockCrew struct {
	worker  *queue.Worker
	count   atomic.Int64
	leave   context.CancelFunc // nil until it starts
	ended   chan struct{}
	result  error
	trouble chan error
}

func (c *rowlockCrew) start(ctx context.Context) error {
	ctx, c.leave = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(c.ended)
		c.result = c.worker.Run(ctx)
	}()
	return nil
}

func (c *rowlockCrew) ran() int { return int(c.count.Load()) }

func (c *rowlockCrew) check() error {
	select {
	case <-c.ended:
		return fmt.Errorf("the worker ended: %w", c.result)
	case err := <-c.trouble:
		return fmt.Errorf("the worker is in trouble: %w", err)
	default:
		return nil
	}
}

func (c *rowlockCrew) stop() error {
	if c.leave == nil {
		return nil
	}
	c.leave()
	<-c.ended
	return c.result
}

// versionOf returns the version of a module that this program was built with.
func versionOf(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "?"
}
