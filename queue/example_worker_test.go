package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/rowlock/rowlock/queue"
)

// A worker that is told to stop lets its handlers finish.
func ExampleWorker_Run() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	w := &queue.Worker{DB: pool, Queues: []queue.Queue{{Name: "default", Slots: 4}}}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		stop() // as a signal would
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}

	job, err := q.Get(context.Background(), pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State)
	// Output:
	// hello Ada
	// completed
}

// StopNow does not wait for handlers. One that returns the cause of its context's
// end gives its job back: another worker runs it as if it had never begun.
func ExampleWorker_StopNow() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		w.StopNow() // as a second signal would
		<-ctx.Done()
		return context.Cause(ctx) // ErrStopping
	})
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State, "with", job.Attempt, "attempts made")
	// Output: queued with 0 attempts made
}

// Health answers the probes of whatever watches over the process.
func ExampleWorker_Health() {
	w := &queue.Worker{DB: database()}
	readyz := func(rw http.ResponseWriter, _ *http.Request) {
		if _, ready := w.Health(); ready != nil {
			http.Error(rw, ready.Error(), http.StatusServiceUnavailable)
		}
	}
	answer := httptest.NewRecorder()
	readyz(answer, httptest.NewRequest("GET", "/readyz", nil))
	fmt.Println(answer.Code, "before Run")
	// Output: 503 before Run
}

// OnError is where failures go to a tracker, or dead jobs to a pager.
func ExampleWorker_onError() {
	pool := database()
	if _, err := q.Insert(ctx, pool, Greet{Name: "Ada"}); err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{
		DB: pool,
		OnError: func(_ context.Context, err error) {
			failed, ok := errors.AsType[*queue.JobError](err)
			if !ok {
				log.Print(err) // the worker's own trouble, such as a database that is away
				return
			}
			fmt.Printf("a %s job is %s: %v\n", failed.Job.Kind, failed.Job.State, failed.Err)
		},
	}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		return queue.NoRetry(errors.New("the doorman has lost his voice"))
	})
	work(w) // runs w until there is nothing left to do
	// Output: a greet job is dead: the doorman has lost his voice
}

// A Middleware sees each attempt of each kind, before and after.
func ExampleMiddleware() {
	pool := database()
	if _, err := q.Insert(ctx, pool, Greet{Name: "Ada"}); err != nil {
		log.Fatal(err)
	}
	traced := func(
		ctx context.Context, job *queue.JobRow, next func(context.Context) error,
	) error {
		fmt.Println("attempt", job.Attempt, "at", job.Kind)
		err := next(ctx)
		fmt.Println("returned", err)
		return err
	}
	w := &queue.Worker{DB: pool, Middleware: []queue.Middleware{traced}}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	work(w) // runs w until there is nothing left to do
	// Output:
	// attempt 1 at greet
	// hello Ada
	// returned <nil>
}
