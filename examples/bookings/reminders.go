package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

const (
	// reminders is the queue of all reminders.
	reminders = "reminders"

	// longOver is shown of a job that is no longer kept: finished ones are for a week.
	longOver = "long over"
)

// Remind asks for a guest to be reminded of a booking.
type Remind struct {
	Booking int64 `json:"booking"`
}

// Kind names the job.
func (Remind) Kind() string { return "remind" }

// InsertDefaults has at most one reminder wait for each booking. It is tried once: a
// late one is worse than none, so that a person decides whether to try again.
func (r Remind) InsertDefaults() queue.With {
	return queue.With{
		Queue: reminders, MaxAttempts: 1, Unique: fmt.Sprint("booking-", r.Booking),
	}
}

// callOff cancels a reminder in tx and returns the state that leaves it in.
func (d *desk) callOff(ctx context.Context, tx pgx.Tx, id int64) (queue.State, error) {
	state, err := d.q.Cancel(ctx, tx, id)
	if conflict, over := errors.AsType[*queue.ConflictError](err); over {
		return conflict.State, nil // it was sent before. tx is as good as ever
	}
	if errors.Is(err, queue.ErrNotFound) {
		return longOver, nil
	}
	return state, err // one that is running hears of it when tx has committed
}

// serve sends reminders until ctx ends.
func (d *desk) serve(ctx context.Context, broken bool) error {
	w := &queue.Worker{DB: d.db, Queues: []queue.Queue{{Name: reminders, Slots: 4}}}
	queue.Handle(w, messenger{db: d.db, provider: provider{out: d.out, broken: broken}})
	return w.Run(ctx)
}

type messenger struct {
	db       *pgxpool.Pool
	provider provider
}

const guestSQL = `SELECT guest, at FROM bookings WHERE id = $1 AND at > now()`

// Handle sends a message and then notes that, together with the end of the job. A
// process that dies in between sends it twice, with the same key.
func (m messenger) Handle(ctx context.Context, job *queue.Job[Remind]) error {
	booking := job.Args.Booking
	var (
		guest string
		at    time.Time
	)
	err := m.db.QueryRow(ctx, guestSQL, booking).Scan(&guest, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return queue.Discard(fmt.Errorf("booking %d is cancelled or over", booking))
	}
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s, we expect you at %s", guest, at.Format("15:04"))
	if err := m.provider.send(ctx, job.ID, text); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, m.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE bookings SET reminded_at = now() WHERE id = $1`, booking)
		if err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// A provider stands for a service that sends messages.
type provider struct {
	out    io.Writer
	broken bool
}

// send sends a message. A real provider takes a key, and sends no message twice that
// comes with the same.
func (p provider) send(_ context.Context, key int64, text string) error {
	if p.broken {
		fmt.Fprintf(p.out, "message %d is refused\n", key)
		return errors.New("the provider is broken")
	}
	_, err := fmt.Fprintf(p.out, "message %d: %s\n", key, text)
	return err
}

// again retries each reminder that has failed.
func (d *desk) again(ctx context.Context) error {
	retried := 0
	dead := queue.Filter{Kind: Remind{}.Kind(), State: queue.StateDead}
	for job, err := range d.q.List(ctx, d.db, dead) {
		if err != nil {
			return err
		}
		err := d.q.Retry(ctx, d.db, job.ID)
		if _, changed := errors.AsType[*queue.ConflictError](err); changed {
			continue // somebody else was faster
		}
		if err != nil {
			return err
		}
		retried++
	}
	fmt.Fprintf(d.out, "reminders to be sent again: %d\n", retried)
	return nil
}

// sayIfOnHold tells whoever looks why no reminder is sent.
func (d *desk) sayIfOnHold(ctx context.Context) error {
	stats, err := d.q.Stats(ctx, d.db)
	if err != nil {
		return err
	}
	for _, s := range stats {
		if s.Queue == reminders && s.Paused {
			fmt.Fprintf(d.out, "reminders are on hold, and %d due\n", s.Ready)
		}
	}
	return nil
}
