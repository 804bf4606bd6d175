// Here: how the shop asks for its jobs. What a job is about, and the job, are
// stored in one transaction: both are there or neither.

package jobs

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// PlaceOrder stores o, sets its ID and asks for it to be processed. Its errors are
// those of [orders.Place] and [queue.Client.Insert].
func PlaceOrder(ctx context.Context, tx pgx.Tx, q *queue.Client, o *orders.Order) error {
	if err := orders.Place(ctx, tx, o); err != nil {
		return err
	}
	_, err := q.Insert(ctx, tx, ProcessOrder{OrderID: o.ID})
	return err
}

// RequestExport stores e, sets its ID and asks for it to be written. Its errors are
// those of [exports.Create] and [queue.Client.Insert].
func RequestExport(ctx context.Context, tx pgx.Tx, q *queue.Client, e *exports.Export) error {
	if err := exports.Create(ctx, tx, e); err != nil {
		return err
	}
	_, err := q.Insert(ctx, tx, BatchExport{ExportID: e.ID})
	return err
}

// A Loader is [PlaceOrder] for any number of orders.
type Loader struct {
	DB    *pgxpool.Pool
	Queue *queue.Client

	// Rejected is told of each row that is no order, or whose number is taken.
	Rejected func(*orders.RowError)
}

// loadRows is how many orders are committed together, at most.
const loadRows = 500

// ErrNoOrders says that there was not a single good row.
var ErrNoOrders = errors.New("no row is an order that could be placed")

// Load places the orders of rows, such as [orders.ReadFile] yields, and asks for
// them to be processed, 500 rows in a transaction, so that neither memory nor
// transactions grow with their number. It returns how many it has placed. Those
// stay if it breaks off with an error, and loading the same rows again rejects
// them as duplicates. It returns [ErrNoOrders] if there were none to place.
func (l *Loader) Load(
	ctx context.Context, rows iter.Seq2[orders.Row, error],
) (placed int, err error) {
	var (
		batch  []readRow
		broken error // what ended rows
	)
	place := func() error {
		n, err := l.place(ctx, batch)
		placed += n
		batch = batch[:0]
		return err
	}
	for row, err := range rows {
		bad, isBad := errors.AsType[*orders.RowError](err)
		if err != nil && !isBad {
			broken = err
			break
		}
		if batch = append(batch, readRow{row, bad}); len(batch) == loadRows {
			if err := place(); err != nil {
				return placed, err
			}
		}
	}
	err = errors.Join(broken, place())
	if err == nil && placed == 0 {
		err = ErrNoOrders
	}
	return placed, err
}

// A readRow is an order, or why it is none.
type readRow struct {
	orders.Row
	bad *orders.RowError
}

// place commits the orders of batch with their jobs, in the file's order.
func (l *Loader) place(ctx context.Context, batch []readRow) (placed int, err error) {
	var list []*orders.Order
	for _, row := range batch {
		if row.bad == nil {
			list = append(list, row.Order)
		}
	}
	if len(list) > 0 {
		placed, err = l.placeAll(ctx, list)
	}
	if err != nil {
		return 0, fmt.Errorf("load orders from line %d: %w", batch[0].Line, err)
	}
	for _, row := range batch {
		if row.bad == nil && row.Order.ID == 0 {
			row.bad = &orders.RowError{Line: row.Line, Reason: fmt.Sprintf(
				"order_number is %q, which an order has already", row.Order.Number)}
		}
		if row.bad != nil {
			l.Rejected(row.bad)
		}
	}
	return placed, nil
}

func (l *Loader) placeAll(ctx context.Context, list []*orders.Order) (placed int, err error) {
	var jobs []ProcessOrder
	err = transact(ctx, l.DB, func(tx pgx.Tx) error {
		if err := orders.PlaceAll(ctx, tx, list); err != nil {
			return err
		}
		for _, o := range list {
			if o.ID != 0 {
				jobs = append(jobs, ProcessOrder{OrderID: o.ID})
			}
		}
		_, err := l.Queue.InsertBatch(ctx, tx, queue.Each(jobs))
		return err
	})
	return len(jobs), err
}
