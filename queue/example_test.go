package queue_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

type Greet struct{ Name string }

func (Greet) Kind() string { return "greet" }

// A whole program: one job, one handler, one worker.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // the first Ctrl-C drains, a second one kills
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	var q queue.Client
	if _, err := q.Insert(ctx, pool, Greet{Name: "world"}); err != nil {
		log.Fatal(err)
	}
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	log.Println("stopped:", w.Run(ctx))
}
