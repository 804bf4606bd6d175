// Here: the limit, plain SQL on rowlock's tables, as "rowlock bench" measures it.

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	ours "github.com/rowlock/rowlock/internal/bench"
)

// A limit is no queue: it has no handlers, no retries, nothing but the statements.
type limit struct {
	db     *pgxpool.Pool
	schema *ours.Schema
}

func (l *limit) open(ctx context.Context, s *stores) (About, error) {
	url, err := s.postgres.database(ctx, "limit")
	if err != nil {
		return About{}, err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return About{}, err
	}
	config.ConnConfig.RuntimeParams["search_path"] = ours.SchemaName
	if l.db, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return About{}, err
	}
	if l.schema, err = ours.TakeSchema(ctx, l.db, ours.SchemaOptions{}); err != nil {
		l.db.Close()
		return About{}, err
	}
	return About{
		Name: "plain SQL", Version: "–", Store: "Postgres",
		Settings: "claim and finish in batches, over as many connections as is best; " +
			"no queue around it",
		Insert:  "COPY by pgx",
		History: "row in finished_jobs",
	}, nil
}

func (l *limit) close() error {
	err := l.schema.Drop()
	l.db.Close()
	return err
}

// insert copies so many jobs into the table.
func (l *limit) insert(ctx context.Context, jobs int) (Run, error) {
	r, err := ours.Insert(ctx, l.db, ours.InsertOptions{Jobs: 1, Batch: jobs, Runs: 1})
	if err != nil {
		return Run{}, fmt.Errorf("plain SQL: insert: %w", err)
	}
	return l.run(insert, jobs, r.Many.Plain, 0)
}

// drain claims and finishes so many jobs.
func (l *limit) drain(ctx context.Context, jobs int) (Run, error) {
	r, err := ours.Drain(ctx, l.db, ours.DrainOptions{Jobs: jobs, Runs: 1})
	if err != nil {
		return Run{}, fmt.Errorf("plain SQL: drain: %w", err)
	}
	var best ours.DrainRun
	for _, run := range r.Runs {
		if run.Loops > 0 && run.JobsPerSecond > best.JobsPerSecond {
			best = run
		}
	}
	return l.run(drain, jobs, best.JobsPerSecond, best.WAL)
}

func (l *limit) run(workload string, jobs int, speed, wal float64) (Run, error) {
	if speed == 0 {
		return Run{}, errors.New("plain SQL: " + workload + ": nothing was measured")
	}
	return Run{
		System: "limit", Workload: workload, Jobs: jobs, WAL: wal,
		Seconds: rounded(float64(jobs)/speed, 3), Speed: speed,
	}, nil
}
