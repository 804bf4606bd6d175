package queue_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/rowlock/rowlock/queue"
)

// A doorman greets guests. What he needs for it are his fields.
type doorman struct{ out io.Writer }

// Handle works one job.
func (d doorman) Handle(ctx context.Context, job *queue.Job[Greet]) error {
	_, err := fmt.Fprintf(d.out, "hello %s (attempt %d)\n", job.Args.Name, job.Attempt)
	return err
}

// A handler is a value with a method Handle.
func ExampleHandle() {
	pool := database()
	if _, err := q.Insert(ctx, pool, Greet{Name: "Ada"}); err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.Handle(w, doorman{out: os.Stdout})
	work(w) // runs w until there is nothing left to do
	// Output: hello Ada (attempt 1)
}
