package queue_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5"
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

var (
	ctx  context.Context
	pool *pgxpool.Pool
	q    queue.Client
)

// In a transaction the job exists if and only if that commits.
func ExampleClient_Insert() {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var name string
		err := tx.QueryRow(ctx, `INSERT INTO guests DEFAULT VALUES RETURNING name`).Scan(&name)
		if err != nil {
			return err
		}
		_, err = q.Insert(ctx, tx, Greet{Name: name})
		return err
	})
	if err != nil {
		log.Print(err)
	}
}

// With says more about one job: here that it runs tomorrow, unless the same one
// is waiting already.
func ExampleWith() {
	got, err := q.Insert(ctx, pool, queue.With{
		Args: Greet{Name: "Ada"}, Delay: 24 * time.Hour, Unique: "greet-ada",
	})
	if bad, ok := errors.AsType[*queue.InvalidError](err); ok {
		log.Fatalf("%s %s", bad.Field, bad.Reason)
	}
	if err != nil {
		log.Fatal(err)
	}
	if got.Outcome == queue.Existing {
		fmt.Println("already waiting: job", got.ID)
	}
}

// A slice goes in by Each, anything longer by an iterator: here a file that is
// never in memory as a whole, and of which either all is stored or nothing.
func ExampleClient_InsertBatch() {
	guests := []Greet{{Name: "Ada"}, {Name: "Grace"}}
	if _, err := q.InsertBatch(ctx, pool, queue.Each(guests)); err != nil {
		log.Fatal(err)
	}

	made, err := q.InsertBatch(ctx, pool, guestsOf(csv.NewReader(os.Stdin)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(made), "jobs")
}

// guestsOf has each line of a file greeted, when there is nothing better to do.
func guestsOf(r *csv.Reader) iter.Seq2[queue.Args, error] {
	return func(yield func(queue.Args, error) bool) {
		for {
			line, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(queue.With{Args: Greet{Name: line[0]}, Priority: 4}, nil) {
				return
			}
		}
	}
}

// A Checkin is a guest who has arrived.
type Checkin struct{ Guest int64 }

func (Checkin) Kind() string { return "checkin" }

type reception struct{ queue *queue.Client }

// HandleTx marks the guest as present and has him greeted: both, once, together
// with the end of the job.
func (r *reception) HandleTx(ctx context.Context, tx pgx.Tx, job *queue.Job[Checkin]) error {
	var name string
	err := tx.QueryRow(ctx, `UPDATE guests SET present = true WHERE id = $1 RETURNING name`,
		job.Args.Guest).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return queue.Discard(fmt.Errorf("no guest %d", job.Args.Guest))
	}
	if err != nil {
		return err
	}
	_, err = r.queue.Insert(ctx, tx, Greet{Name: name})
	return err
}

// Backoff lets the default decide but for the first failure.
func (r *reception) Backoff(count int, err error, _ *queue.JobRow) time.Duration {
	if count == 0 {
		return time.Second
	}
	return 0
}

func ExampleHandleTx() {
	w := &queue.Worker{DB: pool, Queues: []queue.Queue{{Name: "default", Slots: 2}}}
	queue.HandleTx(w, &reception{queue: &q})
	log.Print(w.Run(ctx))
}

// A handler that works outside of the database ends its job in its own last
// transaction.
func ExampleJob_Complete() {
	w := &queue.Worker{DB: pool}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Greet]) error {
		sound, err := say(ctx, "hello "+job.Args.Name)
		if errors.Is(err, errBusy) {
			return queue.Snooze(time.Minute)
		}
		if err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO sounds VALUES ($1)`, sound); err != nil {
				return err
			}
			return job.Complete(ctx, tx)
		})
	})
	log.Print(w.Run(ctx))
}

var errBusy = errors.New("someone else is speaking")

func say(context.Context, string) (sound string, err error) { return "", nil }

func ExampleMiddleware() {
	timed := func(
		ctx context.Context, job *queue.JobRow, next func(context.Context) error,
	) error {
		start := time.Now()
		err := next(ctx)
		log.Println(job.Kind, job.ID, time.Since(start), err)
		return err
	}
	w := &queue.Worker{DB: pool, Middleware: []queue.Middleware{timed}}
	queue.HandleTx(w, &reception{queue: &q})
	log.Print(w.Run(ctx))
}

// Retry every dead job of a kind.
func ExampleClient_List() {
	dead := queue.Filter{Kind: "greet", State: queue.StateDead}
	for job, err := range q.List(ctx, pool, dead) {
		if err != nil {
			log.Fatal(err)
		}
		err := q.Retry(ctx, pool, job.ID)
		if c, ok := errors.AsType[*queue.ConflictError](err); ok && c.Holder != 0 {
			fmt.Println(job.ID, "is what", c.Holder, "does by now")
		} else if err != nil {
			log.Fatal(err)
		}
	}
}
