package exports_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childDatabase); url != "" {
		os.Exit(writeInChild(url, os.Getenv(childFolder)))
	}
	goleak.VerifyTestMain(m)
}

// in runs f in a transaction of its own and returns what it, or the commit, did.
func in(t *testing.T, db *pgxpool.Pool, f func(ctx context.Context, tx pgx.Tx) error) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error { return f(t.Context(), tx) })
}

// request stores a pending export of query.
func request(
	t *testing.T, db *pgxpool.Pool, query string, params map[string]string,
) *exports.Export {
	t.Helper()
	e := &exports.Export{Query: query, Params: params, MailTo: "boss@example.com"}
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return exports.Create(ctx, tx, e)
	}))
	return e
}

// begin begins an attempt at an export.
func begin(t *testing.T, db *pgxpool.Pool, id int64) (e *exports.Export) {
	t.Helper()
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) (err error) {
		e, err = exports.Begin(ctx, tx, id)
		return err
	}))
	return e
}

func get(t *testing.T, db *pgxpool.Pool, id int64) (e *exports.Export) {
	t.Helper()
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) (err error) {
		e, err = exports.Get(ctx, tx, id)
		return err
	}))
	return e
}

// folder returns an export folder and a function that lists it.
func folder(t *testing.T) (*os.Root, func() []string) {
	t.Helper()
	path := t.TempDir()
	dir, err := os.OpenRoot(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	return dir, func() (names []string) {
		entries, err := os.ReadDir(path)
		require.NoError(t, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
}

func TestCreateRefusesWhatIsNotRegistered(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, c := range []struct {
		query, param, value, mailTo, reason string
	}{
		{"pg_user", "", "", "a@b.example", `query is "pg_user", not one of orders, payments`},
		{"orders", "limit", "1", "a@b.example", `params."limit" is not one of since, until, status`},
		{
			"orders", "status", "x'; DROP TABLE orders --", "a@b.example",
			`params.status is "x'; DROP TABLE orders --", not one of placed, processed, payment_failed`,
		},
		{
			"orders", "since", "yesterday", "a@b.example",
			`params.since is "yesterday", neither a date such as 2026-11-02 nor an RFC 3339 time`,
		},
		{"orders", "since", "0000-01-01", "a@b.example", `params.since is "0000-01-01", neither`},
		{"orders", "", "", "boss", `mail_to is "boss", not an address such as ann@example.com`},
		{"orders", "", "", "a@b.example\r\nBcc: c@d.example", `mail_to is "a@b.example\r\nBcc: `},
	} {
		e := &exports.Export{Query: c.query, MailTo: c.mailTo, Params: map[string]string{}}
		if c.param != "" {
			e.Params[c.param] = c.value
		}
		require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
			err := exports.Create(ctx, tx, e)
			var invalid *exports.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.ErrorContains(t, err, c.reason)
			return tx.QueryRow(ctx, `SELECT 1`).Scan(new(int)) // the transaction lives on
		}))
	}
}

func TestExportGoesFromPendingToCompleted(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	params := map[string]string{"since": "2026-11-02", "status": "processed"}
	e := request(t, db, "orders", params)
	require.Equal(t, exports.Pending, e.Status)

	first := begin(t, db, e.ID)
	require.Equal(t, exports.Processing, first.Status)
	require.Equal(t, 1, first.Attempt)
	require.Equal(t, params, first.Params)
	require.False(t, first.BegunAt.IsZero())
	require.True(t, first.CompletedAt.IsZero())

	cause := errors.New("disk \x00 full \xff" + strings.Repeat("!", 2000))
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return exports.Fail(ctx, tx, first, cause)
	}))
	failed := get(t, db, e.ID)
	require.Equal(t, exports.Failed, failed.Status)
	require.Contains(t, failed.Error, "disk \u2400 full \uFFFD!!!")

	second := begin(t, db, e.ID) // failed is a valid start
	require.Equal(t, 2, second.Attempt)
	require.Empty(t, second.Error)
	third := begin(t, db, e.ID) // and so is what a crash left processing
	require.Equal(t, 3, third.Attempt)

	file := &exports.File{Name: "export-1-3.csv", Rows: 5, Bytes: 99, SHA256: strings.Repeat("0", 64)}
	for _, old := range []*exports.Export{first, second} {
		err := in(t, db, func(ctx context.Context, tx pgx.Tx) error {
			require.ErrorIs(t, exports.Fail(ctx, tx, old, cause), exports.ErrSuperseded)
			return exports.Complete(ctx, tx, old, file)
		})
		require.ErrorIs(t, err, exports.ErrSuperseded)
	}
	require.Equal(t, exports.Processing, get(t, db, e.ID).Status)

	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return exports.Complete(ctx, tx, third, file)
	}))
	done := get(t, db, e.ID)
	require.Equal(t, exports.Completed, done.Status)
	require.Equal(t, "export-1-3.csv", done.Path)
	require.EqualValues(t, 5, done.Rows)
	require.EqualValues(t, 99, done.Bytes)
	require.Equal(t, file.SHA256, done.SHA256)
	require.False(t, done.CompletedAt.IsZero())

	for id, want := range map[int64]error{e.ID: exports.ErrCompleted, 99: exports.ErrNotFound} {
		err := in(t, db, func(ctx context.Context, tx pgx.Tx) error {
			_, err := exports.Begin(ctx, tx, id)
			return err
		})
		require.ErrorIs(t, err, want)
	}
	err := in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return exports.Fail(ctx, tx, third, cause)
	})
	require.ErrorIs(t, err, exports.ErrSuperseded, "a completed export does not fail")
}

func TestTableHoldsNoIllegalExport(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	e := request(t, db, "orders", nil)
	begin(t, db, e.ID)
	for _, sql := range []string{
		`UPDATE exports SET status = 'lost' WHERE id = $1`,
		`UPDATE exports SET status = 'pending' WHERE id = $1`,
		`UPDATE exports SET status = 'failed' WHERE id = $1`,
		`UPDATE exports SET error_message = 'x' WHERE id = $1`,
		`UPDATE exports SET status = 'completed' WHERE id = $1`,
		`UPDATE exports SET completed_at = now() WHERE id = $1`,
		`UPDATE exports SET status = 'completed', completed_at = now(), path = 'a/b', rows = 0,
			bytes = 0, sha256 = repeat('0', 64) WHERE id = $1`,
		`UPDATE exports SET status = 'completed', completed_at = now(), path = 'a', rows = 0,
			bytes = 0, sha256 = 'X' WHERE id = $1`,
		`UPDATE exports SET params = '[]' WHERE id = $1`,
		`UPDATE exports SET mail_to = '' WHERE id = $1`,
	} {
		_, err := db.Exec(t.Context(), sql, e.ID)
		require.ErrorContains(t, err, "violates check constraint", sql)
	}
}
