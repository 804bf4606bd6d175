// Service is a whole program that uses the queue as a service of yours would: it
// migrates, enqueues in its own transactions, works the jobs, and stops in order.
//
//	DATABASE_URL=postgres://… go run ./examples/service Ada Grace
//
// signs up the guests that it is given and greets them, until it is stopped.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/migrations"
	"github.com/rowlock/rowlock/queue"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal("service: ", err)
	}
}

func run(ctx context.Context, names []string) error {
	db, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrate(ctx, db); err != nil {
		return err
	}
	for _, name := range names {
		if err := signUp(ctx, db, name); err != nil {
			return err
		}
	}

	w := &queue.Worker{DB: db, Queues: []queue.Queue{{Name: "default", Slots: 4}}}
	queue.HandleTx(w, greeter{})
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	go stopOnSignals(drain, w)
	return w.Run(ctx)
}

// migrate makes the queue's tables and ours. A service of several processes does
// this once for each release, before its workers start.
func migrate(ctx context.Context, db *pgxpool.Pool) error {
	if _, err := migrations.Up(ctx, db); err != nil {
		return err
	}
	_, err := db.Exec(ctx, `
CREATE TABLE IF NOT EXISTS guests (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  greeted_at timestamptz)`)
	return err
}

// Greet asks for a guest to be greeted.
type Greet struct {
	GuestID int64 `json:"guest_id"`
}

// Kind names the job.
func (Greet) Kind() string { return "greet" }

// signUp stores a guest and the job to greet them: both or neither.
func signUp(ctx context.Context, db *pgxpool.Pool, name string) error {
	var q queue.Client
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var id int64
		row := tx.QueryRow(ctx, `INSERT INTO guests (name) VALUES ($1) RETURNING id`, name)
		if err := row.Scan(&id); err != nil {
			return err
		}
		_, err := q.Insert(ctx, tx, Greet{GuestID: id})
		return err
	})
}

type greeter struct{}

// HandleTx greets a guest. That it did so and that the job is completed are one
// commit, so no guest is marked twice.
func (greeter) HandleTx(ctx context.Context, tx pgx.Tx, job *queue.Job[Greet]) error {
	var name string
	err := tx.QueryRow(ctx, `UPDATE guests SET greeted_at = now() WHERE id = $1 RETURNING name`,
		job.Args.GuestID).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return queue.Discard(fmt.Errorf("guest %d has left", job.Args.GuestID))
	}
	if err != nil {
		return err
	}
	fmt.Println("hello,", name)
	return nil
}

// stopOnSignals lets the first signal drain w, the second end its handlers and
// the third end the process.
func stopOnSignals(drain context.CancelFunc, w *queue.Worker) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	drain()
	<-signals
	w.StopNow()
	<-signals
	os.Exit(130)
}
