// Here: the worker that is measured.

package bench

import (
	"context"
	"fmt"
	"log/slog"

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

// startCrew starts a worker. Slots is 0 for the default: as many as db has connections.
// A job does handle and nothing else.
func startCrew(
	ctx context.Context, db *pgxpool.Pool, slots int, handle func(n int),
) *crew {
	c := &crew{ended: make(chan struct{}), trouble: make(chan error, 1)}
	c.worker = &queue.Worker{DB: db, Logger: slog.New(slog.DiscardHandler)}
	if slots > 0 {
		c.worker.Queues = []queue.Queue{{Name: "default", Slots: slots}}
	}
	c.worker.OnError = func(_ context.Context, err error) {
		select {
		case c.trouble <- err:
		default:
		}
	}
	queue.HandleFunc(c.worker, func(_ context.Context, job *queue.Job[nothing]) error {
		handle(job.Args.N)
		return nil
	})
	// It ends by leave alone, so that what it holds is on record or given back.
	ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(c.ended)
		c.result = c.worker.Run(ctx)
	}()
	return c
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
