// Here: a payment's row. It is committed before the gateway is asked, so that
// whoever comes after a crash finds the key that was, or may have been, used.

package orders

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A Payment is one attempt to collect an order's amount, under one idempotency
// key. An order has at most one that is not declined.
type Payment struct {
	ID        int64
	OrderID   int64
	Key       string // idempotency key: the gateway charges it once
	Amount    int64  // in hundredths of the currency
	Currency  string
	CardToken string
	Reference string `db:"-"` // the order's number, for people who read the gateway's books
	Fresh     bool   // made just now: no one can have sent it yet
}

// ErrSettled says that an order was processed, or its payment declined, before:
// what was learnt since may not change that.
var ErrSettled = errors.New("order was settled before")

const openPaymentSQL = `-- orders.open_payment
SELECT id, order_id, key::text AS key, amount, currency, card_token, false AS fresh
  FROM payments
 WHERE order_id = $1 AND state = 'initiated'`

// A payment that a crash of the server could take back might be charged twice, so
// it does not go by a role that has synchronous_commit off.
const startPaymentSQL = `-- orders.start_payment
WITH durable AS (
  SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
         WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true))
INSERT INTO payments (order_id, amount, currency, card_token)
SELECT $1, $2, $3, $4 FROM durable
RETURNING id, order_id, key::text AS key, amount, currency, card_token, true AS fresh`

// StartPayment returns the payment that is open for o, or a new one. The caller
// holds o's lock, and commits before it sends the payment anywhere.
func StartPayment(ctx context.Context, tx pgx.Tx, o *Order) (*Payment, error) {
	rows, _ := tx.Query(ctx, openPaymentSQL, o.ID) // CollectExactlyOneRow returns its error
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Payment])
	if errors.Is(err, pgx.ErrNoRows) {
		rows, _ = tx.Query(ctx, startPaymentSQL, o.ID, o.Amount, o.Currency, o.CardToken)
		p, err = pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Payment])
	}
	if err != nil {
		return nil, fmt.Errorf("start payment of order %d: %w", o.ID, err)
	}
	p.Reference = o.Number
	if p.Amount != o.Amount || p.Currency != o.Currency {
		// A key stands for one sum. Which of the two the customer should pay, after
		// one may have been charged, is for a person to say.
		return nil, fmt.Errorf("start payment of order %d: one is open over %s %s, not %s %s",
			o.ID, FormatAmount(p.Amount), p.Currency, FormatAmount(o.Amount), o.Currency)
	}
	return p, nil
}

// Capture records that p was charged, as the gateway's ref, and its order as
// processed. It returns [ErrSettled] if the order is no longer placed; tx lives on.
func Capture(ctx context.Context, tx pgx.Tx, p *Payment, ref string) error {
	return settle(ctx, tx, p, settlement{Processed, "captured", ref})
}

// Decline records that p was refused for reason, and its order as payment_failed.
// Its errors are Capture's.
func Decline(ctx context.Context, tx pgx.Tx, p *Payment, reason string) error {
	return settle(ctx, tx, p, settlement{PaymentFailed, "declined", reason})
}

// A settlement is how an order ends, and its payment.
type settlement struct {
	order   Status
	payment string
	answer  string // the gateway's
}

const settleOrderSQL = `-- orders.settle_order
UPDATE orders SET status = $2, settled_at = clock_timestamp()
 WHERE id = $1 AND status = 'placed'`

const settlePaymentSQL = `-- orders.settle_payment
UPDATE payments SET state = $2, gateway_answer = $3, settled_at = clock_timestamp()
 WHERE id = $1 AND state = 'initiated'`

// settle writes the order first, which everyone locks first.
func settle(ctx context.Context, tx pgx.Tx, p *Payment, s settlement) error {
	tag, err := tx.Exec(ctx, settleOrderSQL, p.OrderID, s.order)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrSettled
	}
	if err != nil {
		return fmt.Errorf("settle order %d: %w", p.OrderID, err)
	}
	tag, err = tx.Exec(ctx, settlePaymentSQL, p.ID, s.payment, storable(s.answer))
	if err == nil && tag.RowsAffected() == 0 {
		err = errors.New("it is not open")
	}
	if err != nil {
		return fmt.Errorf("settle payment %d: %w", p.ID, err)
	}
	return nil
}

// storable makes a gateway's words a text that its column takes.
func storable(answer string) string {
	answer = strings.ToValidUTF8(strings.ReplaceAll(answer, "\x00", "\u2400"), "\uFFFD")
	if runes := []rune(answer); len(runes) > 1000 {
		answer = string(runes[:1000])
	}
	if answer == "" {
		return "no reason given"
	}
	return answer
}
