package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/rowlock/rowlock/queue"
)

// Get finds a job in whichever table it is.
func ExampleClient_Get() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err) // it wraps ErrNotFound if there is no such job
	}
	fmt.Println(job.Queue, job.Kind, job.State, string(job.Args))
	// Output: default greet queued {"Name": "Ada"}
}

// Retry every dead job of a kind, when what killed them is mended.
func ExampleClient_List() {
	pool := database()
	guests := []Greet{{Name: "Ada"}, {Name: "Grace"}}
	if _, err := q.InsertBatch(ctx, pool, queue.Each(guests)); err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		return queue.NoRetry(errors.New("the doorman has lost his voice"))
	})
	work(w) // runs w until there is nothing left to do

	dead := queue.Filter{Kind: "greet", State: queue.StateDead}
	for job, err := range q.List(ctx, pool, dead) {
		if err != nil {
			log.Fatal(err)
		}
		err := q.Retry(ctx, pool, job.ID)
		if conflict, ok := errors.AsType[*queue.ConflictError](err); ok {
			log.Print(conflict) // someone was faster, or another job has its Unique key
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("again:", string(job.Args))
	}
	// Output:
	// again: {"Name": "Grace"}
	// again: {"Name": "Ada"}
}

// A retried job runs once more at least, though it had no attempt left.
func ExampleClient_Retry() {
	pool := database()
	once := queue.With{Args: Greet{Name: "Ada"}, MaxAttempts: 1}
	made, err := q.Insert(ctx, pool, once)
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		return errors.New("the doorman has lost his voice")
	})
	work(w) // runs w until there is nothing left to do; the job is dead

	if err := q.Retry(ctx, pool, made.ID); err != nil {
		log.Fatal(err)
	}
	w = &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	work(w)
	// Output: hello Ada
}

// A job that waits is called off at once.
func ExampleClient_Cancel() {
	pool := database()
	tomorrow := queue.With{Args: Greet{Name: "Ada"}, Delay: 24 * time.Hour}
	made, err := q.Insert(ctx, pool, tomorrow)
	if err != nil {
		log.Fatal(err)
	}
	state, err := q.Cancel(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(state)
	// Output: cancelled
}

// The handler of a running job hears of it by its context, within seconds and
// wherever it runs.
func ExampleClient_Cancel_running() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	started := make(chan struct{})
	go func() {
		<-started
		if _, err := q.Cancel(ctx, pool, made.ID); err != nil {
			log.Fatal(err)
		}
	}()

	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		close(started)
		<-ctx.Done() // stands for calls that take ctx
		if errors.Is(context.Cause(ctx), queue.ErrCancelled) {
			fmt.Println("not hello", job.Args.Name)
		}
		return context.Cause(ctx)
	})
	work(w) // runs w until there is nothing left to do

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State)
	// Output:
	// not hello Ada
	// cancelled
}

// What is over cannot be called off. Nothing has changed then, and a transaction
// at hand lives on.
func ExampleConflictError() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		return nil
	})
	work(w) // runs w until there is nothing left to do

	_, err = q.Cancel(ctx, pool, made.ID)
	if conflict, ok := errors.AsType[*queue.ConflictError](err); ok {
		fmt.Println("too late, it is", conflict.State)
	} else if err != nil {
		log.Fatal(err)
	}
	// Output: too late, it is completed
}

// Delete leaves no trace of a job, where Cancel keeps its history.
func ExampleClient_Delete() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Delete(ctx, pool, made.ID); err != nil {
		log.Fatal(err)
	}
	if _, err := q.Get(ctx, pool, made.ID); errors.Is(err, queue.ErrNotFound) {
		fmt.Println("there is no job")
	}
	// Output: there is no job
}

// No worker claims from a queue that is paused. What is put there waits.
func ExampleClient_Pause() {
	pool := database()
	if err := q.Pause(ctx, pool, "letters"); err != nil {
		log.Fatal(err)
	}
	jobs := []queue.Args{Greet{Name: "Ada"}, Letter{To: "Ada"}} // a Letter's queue is "letters"
	if _, err := q.InsertBatch(ctx, pool, queue.Each(jobs)); err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{
		DB:     pool,
		Queues: []queue.Queue{{Name: "default", Slots: 4}, {Name: "letters", Slots: 4}},
	}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Letter]) error {
		fmt.Println("a letter to", job.Args.To)
		return nil
	})
	work(w) // runs w until there is nothing left to do
	// Output: hello Ada
}

// After Resume, what was held up runs.
func ExampleClient_Resume() {
	pool := database()
	if err := q.Pause(ctx, pool, "default"); err != nil {
		log.Fatal(err)
	}
	if _, err := q.Insert(ctx, pool, Greet{Name: "Ada"}); err != nil {
		log.Fatal(err)
	}
	if err := q.Resume(ctx, pool, "default"); err != nil {
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

// How each queue stands, for a dashboard or an alarm.
func ExampleClient_Stats() {
	pool := database()
	_, err := q.InsertBatch(ctx, pool, queue.Each([]queue.Args{
		Greet{Name: "Ada"},
		queue.With{Args: Greet{Name: "Grace"}, Delay: 24 * time.Hour},
		Letter{To: "Ada"}, // goes to queue "letters"
	}))
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Pause(ctx, pool, "letters"); err != nil {
		log.Fatal(err)
	}

	stats, err := q.Stats(ctx, pool)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range stats {
		fmt.Printf("%s: %d ready, %d scheduled, %d dead, paused: %t\n",
			s.Queue, s.Ready, s.Scheduled, s.Dead, s.Paused)
	}
	// Output:
	// default: 1 ready, 1 scheduled, 0 dead, paused: false
	// letters: 1 ready, 0 scheduled, 0 dead, paused: true
}

// Each attempt that went wrong is on record, as long as the job is.
func ExampleClient_Failures() {
	pool := database()
	made, err := q.Insert(ctx, pool, Greet{Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		panic("a ghost")
	})
	work(w) // runs w until there is nothing left to do

	failures, err := q.Failures(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range failures {
		fmt.Printf("attempt %d: %s (with a stack: %t)\n", f.Attempt, f.Error, f.Stack != "")
	}
	// Output: attempt 1: panic: a ghost (with a stack: true)
}
