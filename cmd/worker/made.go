// Here: orders that nobody has placed, for a shop to show what it can do.

package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/rowlock/rowlock/internal/sandbox"
	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// maxMade is how many orders are made at most: their numbers have six digits.
const maxMade = 999_999

// make places made orders: the ordinary ones in batches, the peculiar ones in a
// transaction each.
func (l *load) make(ctx context.Context) error {
	var peculiar []sandbox.MadeOrder
	placed, err := l.loader(func(*orders.RowError) {}).Load(ctx, l.ordinary(&peculiar))
	l.placed += int64(placed)
	if errors.Is(err, jobs.ErrNoOrders) {
		return fmt.Errorf("orders made of seed %d are there already: give another --seed", l.seed)
	}
	if err != nil {
		return err
	}
	for _, made := range peculiar {
		err := pgx.BeginFunc(ctx, l.db, func(tx pgx.Tx) error {
			return placePeculiar(ctx, tx, made)
		})
		switch {
		case errors.Is(err, orders.ErrDuplicate):
			l.rejected++
		case err != nil:
			return fmt.Errorf("place order %s: %w", made.Number, err)
		default:
			l.placed++
		}
	}
	if l.rejected > 0 {
		fmt.Fprintf(l.progress, "rejected: %d orders, whose numbers other orders have already; "+
			"give another --seed\n", l.rejected)
	}
	return nil
}

// ordinary yields made orders as a file would, but for the peculiar ones, which it
// collects.
func (l *load) ordinary(peculiar *[]sandbox.MadeOrder) iter.Seq2[orders.Row, error] {
	return func(yield func(orders.Row, error) bool) {
		meter := l.progress.meter("made", "orders")
		defer meter.done()
		n := 0
		for made := range sandbox.Orders(l.orders, l.seed) {
			n++
			meter.set(int64(n), int64(l.orders))
			if made.Twice || made.Deleted {
				*peculiar = append(*peculiar, made)
				continue
			}
			if !yield(orders.Row{Line: n, Order: placedOrder(made)}, nil) {
				return
			}
		}
	}
}

func placedOrder(made sandbox.MadeOrder) *orders.Order {
	return &orders.Order{
		Number:        made.Number,
		CustomerName:  made.CustomerName,
		CustomerEmail: made.CustomerEmail,
		Amount:        made.Amount,
		Currency:      made.Currency,
		CardToken:     made.CardToken,
		PlacedAt:      made.PlacedAt,
	}
}

const deleteOrderSQL = `-- worker.delete_order
DELETE FROM orders WHERE id = $1`

// placePeculiar places an order and does to it what is peculiar before any worker
// can see it: a second job, or no order for its job.
func placePeculiar(ctx context.Context, tx pgx.Tx, made sandbox.MadeOrder) error {
	q := &queue.Client{}
	order := placedOrder(made)
	if err := jobs.PlaceOrder(ctx, tx, q, order); err != nil {
		return err
	}
	if made.Twice {
		if _, err := q.Insert(ctx, tx, jobs.ProcessOrder{OrderID: order.ID}); err != nil {
			return err
		}
	}
	if made.Deleted {
		if _, err := tx.Exec(ctx, deleteOrderSQL, order.ID); err != nil {
			return err
		}
	}
	return nil
}
