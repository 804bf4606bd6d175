package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowlock/rowlock/queue"
)

// A function is handler enough for what needs no backoff or timeout of its own.
func ExampleHandleFunc() {
	pool := database()
	if _, err := q.Insert(ctx, pool, Greet{Name: "Ada"}); err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	work(w) // runs w until there is nothing left to do
	// Output: hello Ada
}

// A handler that works outside of the database ends its job in its own last
// transaction. The call may happen twice, the writes never.
func ExampleJob_Complete() {
	pool := database()
	if _, err := pool.Exec(ctx, `INSERT INTO guests (name) VALUES ('Ada')`); err != nil {
		log.Fatal(err)
	}
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}

	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		fmt.Println("hello", job.Args.Name) // stands for a call to somewhere else
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE guests SET status = 'greeted' WHERE name = $1`,
				job.Args.Name)
			if err != nil {
				return err
			}
			return job.Complete(ctx, tx)
		})
	})
	work(w) // runs w until there is nothing left to do

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State)
	// Output:
	// hello Ada
	// completed
}

// A row that must be there before a call to somewhere else is fenced: it is not
// written by a worker that has lost the job to another.
func ExampleJob_Fence() {
	pool := database()
	if _, err := pool.Exec(ctx, `INSERT INTO guests (name) VALUES ('Ada')`); err != nil {
		log.Fatal(err)
	}
	if _, err := q.Insert(ctx, pool, Greet{Name: "Ada"}); err != nil {
		log.Fatal(err)
	}

	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE guests SET status = 'at the door' WHERE name = $1`,
				job.Args.Name)
			if err != nil {
				return err
			}
			return job.Fence(ctx, tx)
		})
		if err != nil {
			return err // it wraps ErrLost if another worker has the job now
		}
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	work(w) // runs w until there is nothing left to do

	var status string
	err := pool.QueryRow(ctx, `SELECT status FROM guests`).Scan(&status)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Ada is", status)
	// Output:
	// hello Ada
	// Ada is at the door
}

// Snooze is for what is only too early. The run does not count as an attempt.
func ExampleSnooze() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		return queue.Snooze(time.Hour) // Ada is on the telephone
	})
	work(w) // runs w until there is nothing left to do

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	wait := job.RunAt.Sub(job.ClaimedAt).Round(time.Minute)
	fmt.Println(job.State, "with", job.Attempt, "attempts made, and again in", wait)
	// Output: queued with 0 attempts made, and again in 1h0m0s
}

// NoRetry is for a failure that no further attempt can mend, but a person can:
// the job is dead at once, and waits for somebody to retry or cancel it.
func ExampleNoRetry() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		return queue.NoRetry(errors.New("the doorman has lost his voice"))
	})
	work(w) // runs w until there is nothing left to do

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State, "after attempt", job.Attempt, "of", job.MaxAttempts)
	// Output: dead after attempt 1 of 26
}

// Discard is for a job that has become pointless. Nobody need look at it, though
// its history says why.
func ExampleDiscard() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		return queue.Discard(fmt.Errorf("%s has left", job.Args.Name))
	})
	work(w) // runs w until there is nothing left to do

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	failures, err := q.Failures(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State, "because", failures[0].Error)
	// Output: discarded because Ada has left
}
