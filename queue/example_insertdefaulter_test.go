package queue_test

import (
	"fmt"
	"log"

	"github.com/rowlock/rowlock/queue"
)

// A Letter is a job of a kind that has a queue of its own.
type Letter struct {
	To   string
	Text string
}

func (Letter) Kind() string { return "letter" }

// InsertDefaults is what holds for a Letter unless an insert says otherwise.
func (l Letter) InsertDefaults() queue.With {
	return queue.With{Queue: "letters", MaxAttempts: 3, Unique: l.To}
}

// A kind knows best where and how often its jobs run.
func ExampleInsertDefaulter() {
	pool := database()
	letter := Letter{To: "Ada", Text: "Welcome!"}
	made, err := q.Insert(ctx, pool, queue.With{Args: letter, MaxAttempts: 5})
	if err != nil {
		log.Fatal(err)
	}
	job, err := q.Get(ctx, pool, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Queue, job.Unique, job.MaxAttempts)
	// Output: letters Ada 5
}
