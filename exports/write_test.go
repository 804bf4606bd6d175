package exports_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/internal/pgtest"
)

// fill stores n orders of 1.00 EUR, a minute apart.
func fill(t *testing.T, db *pgxpool.Pool, n int) {
	t.Helper()
	_, err := db.Exec(t.Context(), `
INSERT INTO orders (number, customer_name, customer_email, amount, currency, card_token, placed_at)
SELECT 'A-' || i, 'Customer ' || i, 'c' || i || '@example.com', 100, 'EUR', 'tok_ok',
       timestamptz '2026-11-02 00:00:00+00' + i * interval '1 minute'
  FROM generate_series(1, $1) i ORDER BY i`, n)
	require.NoError(t, err)
}

func TestWriteMakesTheFileThatItTellsOf(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, list := folder(t)
	fill(t, db, 2500) // two pages and a half
	e := begin(t, db, request(t, db, "orders", nil).ID)
	file, err := exports.Write(t.Context(), db, dir, e)
	require.NoError(t, err)
	require.Equal(t, "export-1-1.csv", file.Name)
	require.Equal(t, []string{file.Name}, list())

	content, err := dir.ReadFile(file.Name)
	require.NoError(t, err)
	sum := sha256.Sum256(content)
	require.Equal(t, hex.EncodeToString(sum[:]), file.SHA256)
	require.EqualValues(t, len(content), file.Bytes)
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	require.NoError(t, err)
	require.EqualValues(t, len(rows)-1, file.Rows)
	require.Len(t, rows, 2501)
	require.Equal(t, []string{
		"order_number", "customer_name", "customer_email", "amount", "currency", "status", "placed_at",
	}, rows[0])
	for i, row := range rows[1:] {
		require.Equal(t, fmt.Sprintf("A-%d", i+1), row[0], "by id")
	}
	require.Equal(t, []string{
		"A-1", "Customer 1", "c1@example.com", "1.00", "EUR", "placed", "2026-11-02T00:01:00Z",
	}, rows[1])
	info, err := dir.Stat(file.Name)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestWriteNarrowsByParameters(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, _ := folder(t)
	fill(t, db, 100)
	for _, c := range []struct {
		params map[string]string
		rows   int64
	}{
		{nil, 100},
		{map[string]string{"since": "2026-11-02T01:00:00Z"}, 41},
		{map[string]string{
			"since": "2026-11-02T01:00:00Z", "until": "2026-11-02T02:10:00+01:00",
		}, 10},
		{map[string]string{"since": "2026-11-03"}, 0},
		{map[string]string{"status": "placed"}, 100},
		{map[string]string{"status": "processed"}, 0},
	} {
		e := begin(t, db, request(t, db, "orders", c.params).ID)
		file, err := exports.Write(t.Context(), db, dir, e)
		require.NoError(t, err)
		require.Equal(t, c.rows, file.Rows, "%v", c.params)
	}
	// One connection after the other runs queries of other columns.
	for _, query := range []string{"payments", "orders", "payments", "orders"} {
		e := begin(t, db, request(t, db, query, nil).ID)
		_, err := exports.Write(t.Context(), db, dir, e)
		require.NoError(t, err)
		content, err := dir.ReadFile(fmt.Sprintf("export-%d-1.csv", e.ID))
		require.NoError(t, err)
		header, _, _ := strings.Cut(string(content), "\n")
		require.Equal(t, query == "orders", strings.Contains(header, "customer_name"), header)
	}
}

func TestWriteNeutralisesFormulasFromCustomers(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, _ := folder(t)
	_, err := db.Exec(t.Context(), `
INSERT INTO orders (number, customer_name, customer_email, amount, currency, card_token)
VALUES ('=1', '=HYPERLINK("http://x.example/", "you, ""look""")', '+a@example.com', 5, 'EUR', 't')`)
	require.NoError(t, err)
	e := begin(t, db, request(t, db, "orders", nil).ID)
	file, err := exports.Write(t.Context(), db, dir, e)
	require.NoError(t, err)
	content, err := dir.ReadFile(file.Name)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{
		"'=1", `'=HYPERLINK("http://x.example/", "you, ""look""")`, "'+a@example.com", "0.05",
	}, rows[1][:4])
}

// Money moves between the first row and the last all the time; an export has it in
// one of them.
func TestWriteSeesOneSnapshot(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, _ := folder(t)
	fill(t, db, 5000)
	_, err := db.Exec(t.Context(), `UPDATE orders SET amount = 1 WHERE number = 'A-1'`)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	moved := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			_, err := db.Exec(ctx, `
UPDATE orders SET amount = 101 - amount WHERE number IN ('A-1', 'A-5000')`)
			if err == nil {
				n++
			}
		}
		moved <- n
	}()
	for range 5 {
		e := begin(t, db, request(t, db, "orders", nil).ID)
		file, err := exports.Write(ctx, db, dir, e)
		require.NoError(t, err)
		content, err := dir.ReadFile(file.Name)
		require.NoError(t, err)
		rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		require.NoError(t, err)
		first, last := rows[1][3], rows[5000][3]
		require.NotEqual(t, first == "0.01", last == "0.01", "%s and %s", first, last)
	}
	stop()
	require.Positive(t, <-moved)
}

func TestWriteLeavesNothingBehindWhenItFails(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, list := folder(t)
	fill(t, db, 10)
	e := begin(t, db, request(t, db, "orders", nil).ID)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := exports.Write(ctx, db, dir, e)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, list())

	e.Query = "pg_user" // as if the row had been written by hand
	_, err = exports.Write(t.Context(), db, dir, e)
	var invalid *exports.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Empty(t, list())

	// A folder stands where the file should go: the rename fails.
	e.Query = "orders"
	require.NoError(t, dir.MkdirAll("export-1-1.csv/x", 0o700))
	_, err = exports.Write(t.Context(), db, dir, e)
	require.ErrorContains(t, err, "export-1-1.csv")
	require.Equal(t, []string{"export-1-1.csv"}, list())
}

func TestWriteRemovesWhatEarlierAttemptsLeft(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, list := folder(t)
	fill(t, db, 10)
	id := request(t, db, "orders", nil).ID
	begin(t, db, id)
	begin(t, db, id)
	e := begin(t, db, id)
	for _, name := range []string{
		// Killed before its rename, killed after it, and of our own number by a
		// database of before.
		".export-1-1.csv.tmp", "export-1-2.csv", ".export-1-3.csv.tmp",
		// None of ours.
		".export-2-1.csv.tmp", "export-2-1.csv", "export-1-9.csv", "notes.txt",
	} {
		require.NoError(t, dir.WriteFile(name, []byte("x"), 0o600))
	}
	_, err := exports.Write(t.Context(), db, dir, e)
	require.NoError(t, err)
	require.Equal(t, []string{
		".export-2-1.csv.tmp", "export-1-3.csv", "export-1-9.csv", "export-2-1.csv", "notes.txt",
	}, list())
}

func TestWriteStaysInTheFolder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, list := folder(t)
	outside := t.TempDir()
	fill(t, db, 10)
	e := begin(t, db, request(t, db, "orders", nil).ID)
	require.NoError(t, dir.Symlink(outside+"/stolen", ".export-1-1.csv.tmp"))
	_, err := exports.Write(t.Context(), db, dir, e)
	require.NoError(t, err, "the link was removed, not followed")
	require.Equal(t, []string{"export-1-1.csv"}, list())
}

func TestSweepRemovesTheFilesOfAttemptsThatAreOver(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, list := folder(t)
	under := request(t, db, "orders", nil).ID // 1: its second attempt is under way
	begin(t, db, under)
	begin(t, db, under)
	over := begin(t, db, request(t, db, "orders", nil).ID) // 2: failed
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return exports.Fail(ctx, tx, over, errors.New("x"))
	}))
	request(t, db, "orders", nil) // 3: pending, as if restored from a backup

	for _, name := range []string{
		".export-1-1.csv.tmp", ".export-1-2.csv.tmp", ".export-2-1.csv.tmp", ".export-3-1.csv.tmp",
		".export-77-1.csv.tmp", ".export-1-1.csv.tmp.txt", "export-1-1.csv",
		".export-99999999999999999999-1.csv.tmp",
	} {
		require.NoError(t, dir.WriteFile(name, []byte("x"), 0o600))
	}
	removed, err := exports.Sweep(t.Context(), db, dir)
	require.NoError(t, err)
	require.Equal(t, 2, removed)
	require.Equal(t, []string{
		".export-1-1.csv.tmp.txt", ".export-1-2.csv.tmp", ".export-3-1.csv.tmp",
		".export-77-1.csv.tmp", ".export-99999999999999999999-1.csv.tmp", "export-1-1.csv",
	}, list())
}

// An attempt whose claim was lost finds its temporary file gone, or writes one that
// no row names; the winner's file and record stand.
func TestTwoAttemptsDoNotMeet(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, list := folder(t)
	fill(t, db, 10)
	id := request(t, db, "orders", nil).ID
	stale, winner := begin(t, db, id), begin(t, db, id)
	file, err := exports.Write(t.Context(), db, dir, winner)
	require.NoError(t, err)
	late, err := exports.Write(t.Context(), db, dir, stale)
	require.NoError(t, err)
	require.NotEqual(t, file.Name, late.Name)
	require.NoError(t, in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return exports.Complete(ctx, tx, winner, file)
	}))
	err = in(t, db, func(ctx context.Context, tx pgx.Tx) error {
		return exports.Complete(ctx, tx, stale, late)
	})
	require.ErrorIs(t, err, exports.ErrSuperseded)
	require.Equal(t, file.Name, get(t, db, id).Path)
	require.Contains(t, list(), file.Name)
}

func TestPoolOfOneConnectionIsEnough(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, _ := folder(t)
	fill(t, db, 3000)
	config := db.Config().Copy()
	config.MaxConns = 1
	one, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer one.Close()
	e := begin(t, db, request(t, db, "orders", nil).ID)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = exports.Write(ctx, one, dir, e)
	require.NoError(t, err)
}
