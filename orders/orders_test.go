package orders_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/orders"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func anOrder(number string) *orders.Order {
	return &orders.Order{
		Number: number, CustomerName: "Ann Lee", CustomerEmail: "ann@example.com",
		Amount: 1990, Currency: "EUR", CardToken: "tok_ok",
	}
}

// in runs f in a transaction of its own and returns what it, or the commit, did.
func in(t *testing.T, db *pgxpool.Pool, f func(ctx context.Context, tx pgx.Tx) error) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error { return f(t.Context(), tx) })
}

// place stores an order.
func place(t *testing.T, db *pgxpool.Pool, number string) *orders.Order {
	t.Helper()
	o := anOrder(number)
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return orders.Place(ctx, tx, o)
	}))
	return o
}

func TestPlaceStoresAnOrder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	o := anOrder("A-1")
	o.PlacedAt = time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	o.CustomerName = "Ann\nLee"
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return orders.Place(ctx, tx, o)
	}))
	require.Positive(t, o.ID)
	require.Equal(t, orders.Placed, o.Status)

	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		got, err := orders.Get(ctx, tx, o.ID)
		require.NoError(t, err)
		require.True(t, o.PlacedAt.Equal(got.PlacedAt))
		got.PlacedAt = o.PlacedAt
		require.Equal(t, o, got)
		locked, err := orders.Lock(ctx, tx, o.ID)
		require.NoError(t, err)
		require.Equal(t, o.Number, locked.Number)
		_, err = orders.Lock(ctx, tx, o.ID+1)
		require.ErrorIs(t, err, orders.ErrNotFound)
		return nil
	}))

	bare := place(t, db, "A-2")
	require.WithinDuration(t, time.Now(), bare.PlacedAt, time.Hour, "placed now")
}

func TestPlaceRefusesWithoutHarmToTheTransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	place(t, db, "A-1")
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		require.ErrorIs(t, orders.Place(ctx, tx, anOrder("A-1")), orders.ErrDuplicate)
		for _, spoil := range []func(*orders.Order){
			func(o *orders.Order) { o.Number = "" },
			func(o *orders.Order) { o.CustomerName = "\x00" },
			func(o *orders.Order) { o.CustomerEmail = "ann" },
			func(o *orders.Order) { o.Amount = 0 },
			func(o *orders.Order) { o.Amount = 10_000_000_000_000 },
			func(o *orders.Order) { o.Currency = "eur" },
			func(o *orders.Order) { o.CardToken = "\xff" },
			func(o *orders.Order) { o.PlacedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		} {
			bad := anOrder("A-2")
			spoil(bad)
			var invalid *orders.InvalidError
			require.ErrorAs(t, orders.Place(ctx, tx, bad), &invalid)
		}
		return orders.Place(ctx, tx, anOrder("A-3"))
	}))
	require.Equal(t, []string{"A-1", "A-3"}, numbers(t, db))
}

func TestPlaceAllPlacesTheFirstOfTwo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	place(t, db, "A-2")
	list := []*orders.Order{anOrder("A-3"), anOrder("A-1"), anOrder("A-2"), anOrder("A-1")}
	list[3].Amount = 7
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return orders.PlaceAll(ctx, tx, list)
	}))
	require.Equal(t, []string{"A-1", "A-2", "A-3"}, numbers(t, db))
	require.NotZero(t, list[0].ID)
	require.NotZero(t, list[1].ID)
	require.Zero(t, list[2].ID)
	require.Zero(t, list[3].ID)
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		o, err := orders.Get(ctx, tx, list[1].ID)
		require.NoError(t, err)
		require.EqualValues(t, 1990, o.Amount)
		return nil
	}))
}

// Transactions that place the same orders in different orders wait for each other
// and do not deadlock.
func TestPlaceAllDoesNotDeadlock(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	results := make(chan error)
	for worker := range 4 {
		go func() {
			var list []*orders.Order
			for i := range 200 {
				if worker%2 == 1 {
					i = 199 - i
				}
				list = append(list, anOrder(fmt.Sprintf("A-%d", i)))
			}
			results <- pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
				return orders.PlaceAll(t.Context(), tx, list)
			})
		}()
	}
	for range 4 {
		require.NoError(t, <-results)
	}
	require.Len(t, numbers(t, db), 200)
}

func TestTableHoldsNoIllegalOrder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	o := place(t, db, "A-1")
	for _, sql := range []string{
		`UPDATE orders SET status = 'lost' WHERE id = $1`,
		`UPDATE orders SET status = 'processed' WHERE id = $1`, // without settled_at
		`UPDATE orders SET settled_at = now() WHERE id = $1`,
		`UPDATE orders SET amount = 0 WHERE id = $1`,
		`UPDATE orders SET currency = 'eur' WHERE id = $1`,
		`UPDATE orders SET placed_at = 'infinity' WHERE id = $1`,
		`UPDATE orders SET number = '' WHERE id = $1`,
		`UPDATE orders SET customer_email = 'ann' WHERE id = $1`,
	} {
		_, err := db.Exec(t.Context(), sql, o.ID)
		require.ErrorContains(t, err, "violates check constraint", sql)
	}
}

func numbers(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	rows, _ := db.Query(t.Context(), `SELECT number FROM orders ORDER BY number`)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}
