// Here: the worker that is measured.

package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// A crew is one worker with its default settings, as a program would have it.
type crew struct {
	worker  *queue.Worker
	stop    context.CancelFunc
	ended   chan struct{}
	result  error      // of Run, once it has ended
	trouble chan error // the first error that it told of
}

// startCrew starts a worker. Queues are nil for its default: one, with as many slots as
// db has connections. Handle names its handlers.
func startCrew(
	ctx context.Context, db *pgxpool.Pool, queues []queue.Queue, handle func(*queue.Worker),
) *crew {
	c := &crew{ended: make(chan struct{}), trouble: make(chan error, 1)}
	c.worker = &queue.Worker{DB: db, Queues: queues, Logger: slog.New(slog.DiscardHandler)}
	c.worker.OnError = func(_ context.Context, err error) {
		select {
		case c.trouble <- err:
		default:
		}
	}
	handle(c.worker)
	// It ends by leave alone, so that what it holds is on record or given back.
	ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(c.ended)
		c.result = c.worker.Run(ctx)
	}()
	return c
}

// slotsOf returns the default queue with so many slots, or nil for 0.
func slotsOf(slots int) []queue.Queue {
	if slots == 0 {
		return nil
	}
	return []queue.Queue{{Name: "default", Slots: slots}}
}

// doing makes a job do f with its number, and nothing else.
func doing(f func(n int)) func(*queue.Worker) {
	return func(w *queue.Worker) {
		queue.HandleFunc(w, func(_ context.Context, job *queue.Job[nothing]) error {
			f(job.Args.N)
			return nil
		})
	}
}

// ready returns when the worker claims: it registers before.
func (c *crew) ready(ctx context.Context) error {
	for {
		if _, notYet := c.worker.Health(); notYet == nil {
			return nil
		}
		if err := errors.Join(c.check(), wait(ctx, time.Millisecond)); err != nil {
			return err
		}
	}
}

// check returns an error if the worker is in trouble: then what is measured is not how
// fast it works.
func (c *crew) check() error {
	select {
	case <-c.ended:
		return fmt.Errorf("the worker ended: %w", c.result)
	case err := <-c.trouble:
		return fmt.Errorf("the worker is in trouble: %w", err)
	default:
		return nil
	}
}

// leave ends the worker, and returns when it has.
func (c *crew) leave(measured error) error {
	if measured != nil {
		c.worker.StopNow()
	}
	c.stop()
	<-c.ended
	if measured != nil {
		return measured
	}
	return c.result
}
