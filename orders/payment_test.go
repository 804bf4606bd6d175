package orders_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/orders"
)

// start begins the payment of an order.
func start(t *testing.T, db *pgxpool.Pool, o *orders.Order) (p *orders.Payment) {
	t.Helper()
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) (err error) {
		_, err = orders.Lock(ctx, tx, o.ID)
		require.NoError(t, err)
		p, err = orders.StartPayment(ctx, tx, o)
		return err
	}))
	return p
}

// stands returns an order's status and its payments' states, the oldest first.
func stands(t *testing.T, db *pgxpool.Pool, o *orders.Order) (s string) {
	t.Helper()
	err := db.QueryRow(t.Context(), `
SELECT status || coalesce(': ' || string_agg(state || coalesce(' ' || gateway_answer, ''), ', '
                                             ORDER BY p.id), '')
  FROM orders o LEFT JOIN payments p ON p.order_id = o.id
 WHERE o.id = $1 GROUP BY o.id`, o.ID).Scan(&s)
	require.NoError(t, err)
	return s
}

func TestStartPaymentMakesOneAndFindsItAgain(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	o := place(t, db, "A-1")
	first := start(t, db, o)
	require.True(t, first.Fresh)
	require.Len(t, first.Key, 36)
	require.Equal(t, "A-1", first.Reference)
	require.EqualValues(t, 1990, first.Amount)

	again := start(t, db, o)
	require.False(t, again.Fresh)
	require.Equal(t, first.Key, again.Key)
	require.Equal(t, "placed: initiated", stands(t, db, o))
}

func TestStartPaymentRefusesAnotherSumUnderAnOpenKey(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	o := place(t, db, "A-1")
	start(t, db, o)
	o.Amount = 5
	err := in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		_, err := orders.StartPayment(ctx, tx, o)
		return err
	})
	require.ErrorContains(t, err, "is open over 19.90 EUR, not 0.05 EUR")
}

func TestCaptureAndDeclineSettleOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)

	paid := place(t, db, "A-1")
	p := start(t, db, paid)
	settle := func(f func(context.Context, pgx.Tx, *orders.Payment, string) error, word string) error {
		return in(t, db, func(ctx context.Context, tx pgx.Tx) error { return f(ctx, tx, p, word) })
	}
	require.NoError(t, settle(orders.Capture, "ch_1"))
	require.Equal(t, "processed: captured ch_1", stands(t, db, paid))
	require.ErrorIs(t, settle(orders.Capture, "ch_2"), orders.ErrSettled)
	require.ErrorIs(t, settle(orders.Decline, "no"), orders.ErrSettled)
	require.Equal(t, "processed: captured ch_1", stands(t, db, paid))

	poor := place(t, db, "A-2")
	p = start(t, db, poor)
	require.NoError(t, settle(orders.Decline, "no \x00 money \xff"+strings.Repeat("!", 2000)))
	require.Contains(t, stands(t, db, poor), "payment_failed: declined no \u2400 money \uFFFD!!!")
	require.ErrorIs(t, settle(orders.Capture, "ch_2"), orders.ErrSettled)
}

func TestTableHoldsNoIllegalPayment(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	o := place(t, db, "A-1")
	p := start(t, db, o)
	for _, sql := range []string{
		`UPDATE payments SET state = 'lost' WHERE id = $1`,
		`UPDATE payments SET state = 'captured', settled_at = now() WHERE id = $1`,
		`UPDATE payments SET state = 'declined', gateway_answer = 'no' WHERE id = $1`,
		`UPDATE payments SET gateway_answer = 'no' WHERE id = $1`,
		`UPDATE payments SET amount = 0 WHERE id = $1`,
	} {
		_, err := db.Exec(t.Context(), sql, p.ID)
		require.ErrorContains(t, err, "violates check constraint", sql)
	}
	another := `INSERT INTO payments (order_id, amount, currency, card_token)
		SELECT order_id, amount, currency, card_token FROM payments WHERE id = $1`
	_, err := db.Exec(t.Context(), another, p.ID)
	require.ErrorContains(t, err, "payments_live")
	_, err = db.Exec(t.Context(), `DELETE FROM orders WHERE id = $1`, o.ID)
	require.ErrorContains(t, err, "payments_order_id_fkey", "a charge may be on record elsewhere")

	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return orders.Decline(ctx, tx, p, "no")
	}))
	_, err = db.Exec(t.Context(), another, p.ID)
	require.NoError(t, err, "after a decline there may be a new one")
}
