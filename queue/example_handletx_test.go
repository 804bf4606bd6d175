package queue_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/rowlock/rowlock/queue"
)

// A Checkin is a guest who has arrived.
type Checkin struct{ Guest string }

func (Checkin) Kind() string { return "checkin" }

type reception struct{ queue *queue.Client }

// HandleTx notes that a guest is present and has him greeted: both, once,
// together with the end of the job.
func (r reception) HandleTx(ctx context.Context, tx pgx.Tx, job *queue.Job[Checkin]) error {
	done, err := tx.Exec(ctx, `UPDATE guests SET status = 'present' WHERE name = $1`,
		job.Args.Guest)
	if err != nil {
		return err
	}
	if done.RowsAffected() == 0 {
		return queue.Discard(fmt.Errorf("no guest of the name %s", job.Args.Guest))
	}
	_, err = r.queue.Insert(ctx, tx, Greet{Name: job.Args.Guest})
	return err
}

// A handler that only writes to this database is given a transaction, and may put
// follow-up jobs in it.
func ExampleHandleTx() {
	pool := database()
	if _, err := pool.Exec(ctx, `INSERT INTO guests (name) VALUES ('Ada')`); err != nil {
		log.Fatal(err)
	}
	if _, err := q.Insert(ctx, pool, Checkin{Guest: "Ada"}); err != nil {
		log.Fatal(err)
	}

	w := &queue.Worker{DB: pool}
	queue.HandleTx(w, reception{queue: &q})
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		fmt.Println("hello", job.Args.Name)
		return nil
	})
	work(w) // runs w until there is nothing left to do

	var status string
	err := pool.QueryRow(ctx, `SELECT status FROM guests`).Scan(&status)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status)
	// Output:
	// hello Ada
	// present
}
