package queue_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rowlock/rowlock/queue"
)

// A waiter waits, but not for long.
type waiter struct{}

func (waiter) Handle(ctx context.Context, job *queue.Job[Greet]) error {
	<-ctx.Done() // stands for a call that takes ctx and does not come back
	return fmt.Errorf("wait for %s: %w", job.Args.Name, ctx.Err())
}

// Timeout is how long one attempt may take.
func (waiter) Timeout(job *queue.JobRow) time.Duration {
	return 50 * time.Millisecond
}

// A handler may say how long an attempt may take. Running out of time is a failure
// like any other.
func ExampleTimeouter() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.Handle(w, waiter{})
	work(w) // runs w until there is nothing left to do

	failures, err := q.Failures(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(failures[0].Error)
	// Output: queue: attempt ran out of time (50ms): wait for Ada: context deadline exceeded
}
