package queue_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowlock/rowlock/queue"
)

// In a transaction the job exists if and only if that commits.
func ExampleClient_Insert() {
	pool := database()
	var made queue.Insertion
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO guests (name) VALUES ('Ada')`)
		if err != nil {
			return err
		}
		made, err = q.Insert(ctx, tx, Greet{Name: "Ada"})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Kind, "is", job.State)
	// Output: greet is queued
}

// A rollback leaves no job behind.
func ExampleClient_Insert_rollback() {
	pool := database()
	tx, err := pool.Begin(ctx)
	if err != nil {
		log.Fatal(err)
	}
	made, err := q.Insert(ctx, tx, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	if err := tx.Rollback(ctx); err != nil {
		log.Fatal(err)
	}

	if _, err := q.Get(ctx, pool, made.ID); errors.Is(err, queue.ErrNotFound) {
		fmt.Println("there is no job")
	}
	// Output: there is no job
}

// With says more about one job: here that it runs tomorrow, unless the same one is
// waiting already.
func ExampleWith() {
	pool := database()
	tomorrow := queue.With{Args: Greet{Name: "Ada"}, Delay: 24 * time.Hour, Unique: "Ada"}
	first, err := q.Insert(ctx, pool, tomorrow)
	if err != nil {
		log.Fatal(err)
	}
	second, err := q.Insert(ctx, pool, tomorrow)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Outcome, second.Outcome, first.ID == second.ID)

	job, err := q.Get(ctx, pool, first.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("due in", job.RunAt.Sub(job.CreatedAt).Round(time.Second))
	// Output:
	// inserted existing true
	// due in 24h0m0s
}

// The jobs of a slice are stored all or none, in far fewer round trips than one by
// one.
func ExampleClient_InsertBatch() {
	pool := database()
	guests := []Greet{{Name: "Ada"}, {Name: "Grace"}}
	made, err := q.InsertBatch(ctx, pool, queue.Each(guests))
	if err != nil {
		log.Fatal(err)
	}
	for i, m := range made {
		fmt.Println(guests[i].Name, m.Outcome)
	}
	// Output:
	// Ada inserted
	// Grace inserted
}

// What is too long for a slice goes in by an iterator. This one reads a file
// that is never in memory as a whole; if a line is broken, nothing is stored.
func ExampleClient_InsertBatch_iterator() {
	pool := database()
	file := csv.NewReader(strings.NewReader("Ada,tea\nGrace,coffee\n"))
	guests := func(yield func(queue.Args, error) bool) {
		for {
			line, err := file.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(Greet{Name: line[0]}, nil) {
				return
			}
		}
	}
	made, err := q.InsertBatch(ctx, pool, guests)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(made), "jobs")
	// Output: 2 jobs
}

// Jobs of several kinds, or with something said about each, make a slice of Args.
func ExampleEach() {
	pool := database()
	made, err := q.InsertBatch(ctx, pool, queue.Each([]queue.Args{
		Greet{Name: "Ada"},
		queue.With{Args: Greet{Name: "Grace"}, Priority: 1},
		Checkin{Guest: "Ada"},
	}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(made), "jobs")
	// Output: 3 jobs
}

// BeforeInsert sees each job before it is stored. It can change it, leave it out
// or refuse it.
func ExampleClient_beforeInsert() {
	pool := database()
	q := queue.Client{
		BeforeInsert: func(_ context.Context, job *queue.With) error {
			if greet, ok := job.Args.(Greet); ok && greet.Name == "" {
				return queue.ErrSkip
			}
			job.MaxAttempts = min(job.MaxAttempts, 5)
			return nil
		},
	}
	guests := []Greet{{Name: "Ada"}, {Name: ""}}
	made, err := q.InsertBatch(ctx, pool, queue.Each(guests))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made[0].Outcome, made[1].Outcome)
	// Output: inserted skipped
}

// A job that is out of bounds is refused before anything is sent. A batch answers
// with an InvalidError for each.
func ExampleInvalidError() {
	pool := database()
	_, err := q.InsertBatch(ctx, pool, queue.Each([]queue.Args{
		Greet{Name: "Ada"},
		queue.With{Args: Greet{Name: "Grace"}, Priority: 5},
	}))
	if bad, ok := errors.AsType[*queue.InvalidError](err); ok {
		fmt.Printf("job %d: %s %s\n", bad.Index, bad.Field, bad.Reason)
	}
	// Output: job 1: Priority must be from 1 to 4, is 5
}
