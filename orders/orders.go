// Here: an order and what can become of it.

// Package orders keeps customers' orders and the payments for them. It knows
// nothing of queues: its functions work in the transaction they are given.
package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// An Order is what a customer asked for.
type Order struct {
	ID            int64
	Number        string // as the customer knows it; no two orders share one
	CustomerName  string // may hold line breaks, may be empty
	CustomerEmail string
	Amount        int64  // in hundredths of the currency, whichever that is
	Currency      string // ISO 4217, in capitals
	CardToken     string // what the payment gateway calls the card
	PlacedAt      time.Time
	Status        Status
}

// Status is where an order stands.
type Status string

const (
	Placed        Status = "placed"         // to be charged
	Processed     Status = "processed"      // charged, once
	PaymentFailed Status = "payment_failed" // the card was declined
)

var (
	// ErrNotFound says that there is no such order.
	ErrNotFound = errors.New("order not found")

	// ErrDuplicate says that there is an order of that number.
	ErrDuplicate = errors.New("there is an order of this number")
)

// ON CONFLICT keeps a duplicate from aborting the caller's transaction.
const placeSQL = `-- orders.place
INSERT INTO orders
  (number, customer_name, customer_email, amount, currency, card_token, placed_at)
VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7, clock_timestamp()))
ON CONFLICT (number) DO NOTHING
RETURNING id, placed_at, status`

// Place stores o as a new order and sets its ID, PlacedAt (the present, if it was
// zero) and Status. It returns an [*InvalidError] if the table would refuse o and
// [ErrDuplicate] if its number is taken; tx lives on after both.
func Place(ctx context.Context, tx pgx.Tx, o *Order) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("place order %q: %w", o.Number, err)
	}
	err := tx.QueryRow(ctx, placeSQL, o.Number, o.CustomerName, o.CustomerEmail,
		o.Amount, o.Currency, o.CardToken, placedAt(o)).Scan(&o.ID, &o.PlacedAt, &o.Status)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrDuplicate
	}
	if err != nil {
		return fmt.Errorf("place order %q: %w", o.Number, err)
	}
	return nil
}

// placedAt is o.PlacedAt as SQL has it: nil for the zero time.
func placedAt(o *Order) *time.Time {
	if o.PlacedAt.IsZero() {
		return nil
	}
	return &o.PlacedAt
}

// By number, so that two transactions that place the same orders cannot deadlock;
// of two with one number, the first in the slice is placed.
const placeAllSQL = `-- orders.place_all
INSERT INTO orders
  (number, customer_name, customer_email, amount, currency, card_token, placed_at)
SELECT number, name, email, amount, currency, token, COALESCE(placed_at, clock_timestamp())
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
              $7::timestamptz[]) WITH ORDINALITY
       AS o (number, name, email, amount, currency, token, placed_at, place)
 ORDER BY number COLLATE "C", place
ON CONFLICT (number) DO NOTHING
RETURNING id, number, placed_at, status`

// PlaceAll is [Place] for many orders in one statement. It leaves the ID of a
// duplicate 0, be it of an order in the database or of an earlier one in list. An
// [*InvalidError] is of the first order that is bad; then none is placed.
func PlaceAll(ctx context.Context, tx pgx.Tx, list []*Order) error {
	var (
		numbers, names, emails, currencies, tokens []string

		amounts []int64
		times   []*time.Time
		first   = make(map[string]*Order, len(list))
	)
	for _, o := range list {
		if err := o.check(); err != nil {
			return fmt.Errorf("place order %q: %w", o.Number, err)
		}
		numbers = append(numbers, o.Number)
		names = append(names, o.CustomerName)
		emails = append(emails, o.CustomerEmail)
		amounts = append(amounts, o.Amount)
		currencies = append(currencies, o.Currency)
		tokens = append(tokens, o.CardToken)
		times = append(times, placedAt(o))
		if o.ID = 0; first[o.Number] == nil {
			first[o.Number] = o
		}
	}
	rows, err := tx.Query(ctx, placeAllSQL,
		numbers, names, emails, amounts, currencies, tokens, times)
	if err != nil {
		return fmt.Errorf("place %d orders: %w", len(list), err)
	}
	var placed Order
	_, err = pgx.ForEachRow(rows,
		[]any{&placed.ID, &placed.Number, &placed.PlacedAt, &placed.Status}, func() error {
			o := first[placed.Number]
			o.ID, o.PlacedAt, o.Status = placed.ID, placed.PlacedAt, placed.Status
			return nil
		})
	if err != nil {
		return fmt.Errorf("place %d orders: %w", len(list), err)
	}
	return nil
}

const getSQL = `-- orders.get
SELECT id, number, customer_name, customer_email, amount, currency, card_token, placed_at, status
  FROM orders
 WHERE id = $1`

// Get reads an order as it is now. One that is not there is [ErrNotFound].
func Get(ctx context.Context, tx pgx.Tx, id int64) (*Order, error) {
	return read(ctx, tx, getSQL, id)
}

const lockSQL = `-- orders.lock
SELECT id, number, customer_name, customer_email, amount, currency, card_token, placed_at, status
  FROM orders
 WHERE id = $1
   FOR UPDATE`

// Lock is [Get] and holds the order's row until tx ends. Whoever means to change
// what becomes of an order locks it first.
func Lock(ctx context.Context, tx pgx.Tx, id int64) (*Order, error) {
	return read(ctx, tx, lockSQL, id)
}

func read(ctx context.Context, tx pgx.Tx, sql string, id int64) (*Order, error) {
	rows, _ := tx.Query(ctx, sql, id) // CollectExactlyOneRow returns its error
	o, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Order])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read order %d: %w", id, err)
	}
	return o, nil
}
