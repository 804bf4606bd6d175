// Here: ProcessOrder. When and how often an order is tried; what happens to it
// is in package orders.

// Package jobs has the shop's jobs, one file each: what is asked (an Args), who
// does it (a handler) and how it is tried again. It is where the shop's domains,
// which know no queue, meet the queue, which knows no shop.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// ProcessOrder asks for one order to be charged and confirmed.
type ProcessOrder struct {
	OrderID int64 `json:"order_id"`
}

// Kind names the job.
func (ProcessOrder) Kind() string { return "process_order" }

// InsertDefaults tries an order four times: three retries.
func (ProcessOrder) InsertDefaults() queue.With { return queue.With{MaxAttempts: 4} }

// An OrderProcessor handles [ProcessOrder].
type OrderProcessor struct {
	DB      *pgxpool.Pool
	Queue   *queue.Client
	Gateway interface {
		// Charge is as [orders.Gateway] has it.
		Charge(ctx context.Context, p *orders.Payment) (ref string, err error)
	}
	Log *slog.Logger
}

// Handle charges an order once and has its customer told. The payment is on
// record before the gateway hears of it. What the gateway answered, the mail job
// and the end of this job are committed together.
//
// An order that is gone or settled is nothing to do.
func (p *OrderProcessor) Handle(ctx context.Context, job *queue.Job[ProcessOrder]) error {
	payment, err := p.start(ctx, job)
	if errors.Is(err, orders.ErrNotFound) {
		p.Log.WarnContext(ctx, "order is gone", "order_id", job.Args.OrderID, "job_id", job.ID)
		return nil
	}
	if err != nil || payment == nil {
		return err
	}

	ref, err := p.Gateway.Charge(ctx, payment)
	declined, isDeclined := errors.AsType[*orders.DeclinedError](err)
	if err != nil && !isDeclined {
		return err
	}

	return transact(ctx, p.DB, func(tx pgx.Tx) error {
		order, err := orders.Lock(ctx, tx, payment.OrderID)
		switch {
		case err != nil:
			return err
		case order.Status != orders.Placed:
			// A second job for the order, with the same payment, was quicker.
		case isDeclined: // an answer, not a failure: there is nothing to try again
			err = orders.Decline(ctx, tx, payment, declined.Reason)
		default:
			err = p.capture(ctx, tx, payment, ref)
		}
		if err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// start commits the payment to be sent, or returns nil if the order is settled.
func (p *OrderProcessor) start(
	ctx context.Context, job *queue.Job[ProcessOrder],
) (payment *orders.Payment, err error) {
	err = transact(ctx, p.DB, func(tx pgx.Tx) error {
		order, err := orders.Lock(ctx, tx, job.Args.OrderID)
		if err != nil || order.Status != orders.Placed {
			return err
		}
		payment, err = orders.StartPayment(ctx, tx, order)
		if err != nil {
			return err
		}
		return job.Fence(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	return payment, nil
}

func (p *OrderProcessor) capture(
	ctx context.Context, tx pgx.Tx, payment *orders.Payment, ref string,
) error {
	if err := orders.Capture(ctx, tx, payment, ref); err != nil {
		return err
	}
	_, err := p.Queue.Insert(ctx, tx, NotifyCustomer{OrderID: payment.OrderID})
	return err
}

// Backoff waits for the gateway by the minute, and longer if it asks for that; for
// all else it leaves the wait to the default.
func (p *OrderProcessor) Backoff(count int, err error, _ *queue.JobRow) time.Duration {
	if gw, ok := errors.AsType[*orders.GatewayError](err); ok {
		return max(time.Duration(count+1)*time.Minute, gw.After)
	}
	return 0
}

// Timeout leaves room for two calls of the gateway.
func (p *OrderProcessor) Timeout(*queue.JobRow) time.Duration { return time.Minute }

// transact commits what f does in a READ COMMITTED transaction, whatever the role's
// default is: there a lock that was waited for shows the row as it is by then.
func transact(ctx context.Context, db *pgxpool.Pool, f func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, f)
}
