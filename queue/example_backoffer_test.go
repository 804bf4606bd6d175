package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/rowlock/rowlock/queue"
)

var errNotHome = errors.New("nobody is at home")

// A postman rings the bell.
type postman struct{}

func (postman) Handle(ctx context.Context, job *queue.Job[Letter]) error {
	return errNotHome
}

// Backoff has him come back a day later, and leaves all other failures to the
// default.
func (postman) Backoff(count int, err error, job *queue.JobRow) time.Duration {
	if errors.Is(err, errNotHome) {
		return 24 * time.Hour
	}
	return 0
}

// A handler may say how long to wait after a failure. Some seconds are added, so
// that jobs that failed together do not come back together.
func ExampleBackoffer() {
	pool := database()
	made, err := q.Insert(ctx, pool, Letter{To: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool, Queues: []queue.Queue{{Name: "letters", Slots: 4}}}
	queue.Handle(w, postman{})
	work(w) // runs w until there is nothing left to do

	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	wait := job.RunAt.Sub(job.ClaimedAt).Round(time.Hour)
	fmt.Println(job.State, "with", job.Attempt, "attempt made, and again in", wait)
	// Output: queued with 1 attempt made, and again in 24h0m0s
}
