// Here: a query's rows on their way into a file. They are read in one snapshot, a
// page at a time, and none is kept: a file of ten million rows takes the memory of
// a small one.

package exports

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A File is a written export.
type File struct {
	Name   string // within the folder
	Rows   int64  // the header not counted
	Bytes  int64
	SHA256 string // in hexadecimal
}

const (
	pageRows  = 1000
	fetchPage = "-- exports.fetch\nFETCH FORWARD 1000 FROM page"
)

// Write runs e's query in one snapshot and streams it into a CSV file of dir, a
// page of 1,000 rows at a time. The file appears under its name only when it is
// complete and on disk; a Write that fails leaves nothing behind, and one that was
// killed a temporary file, which [Sweep] or the next attempt removes.
//
// A folder holds the exports of one database. Write returns [ErrSuperseded] if it
// finds that another attempt has begun. The snapshot holds back VACUUM for as long
// as Write takes: give ctx a deadline.
func Write(ctx context.Context, db *pgxpool.Pool, dir *os.Root, e *Export) (*File, error) {
	f := &File{Name: fileName(e.ID, e.Attempt)}
	sum := sha256.New()
	removeEarlier(dir, e)
	err := create(dir, tempName(e.ID, e.Attempt), f.Name, func(w io.Writer) error {
		buffer := bufio.NewWriterSize(&counter{io.MultiWriter(w, sum), &f.Bytes}, 64<<10)
		if err := writeRows(ctx, db, &table{w: buffer, rows: &f.Rows}, e); err != nil {
			return err
		}
		return buffer.Flush()
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", f.Name, err)
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return f, nil
}

// writeRows copies the rows of e's query to t, and notes the progress about once a
// second.
func writeRows(ctx context.Context, db *pgxpool.Pool, t *table, e *Export) error {
	query, err := find(e.Query)
	if err != nil {
		return err
	}
	args, err := query.args(e.Params) // again: the row may have been written by hand
	if err != nil {
		return err
	}
	noted := time.Now()
	return copyRows(ctx, db, t, source{query.sql, args, func() error {
		if time.Since(noted) < time.Second {
			return nil
		}
		noted = time.Now()
		return note(ctx, db, e, *t.rows)
	}})
}

// A source is what to copy.
type source struct {
	sql    string
	args   []any
	onPage func() error // called after each page
}

// Values are read as text, as these settings have Postgres write them. A cursor is
// planned for its first rows unless told that all will be fetched.
const settingsSQL = `-- exports.settings
SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
       set_config('IntervalStyle', 'iso_8601', true), set_config('bytea_output', 'hex', true),
       set_config('extra_float_digits', '1', true), set_config('cursor_tuple_fraction', '1', true)`

func copyRows(ctx context.Context, db *pgxpool.Pool, t *table, s source) error {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, db, snapshot, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settingsSQL); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DECLARE page NO SCROLL CURSOR FOR "+s.sql, s.args...)
		if err != nil {
			return err
		}
		for {
			n, err := copyPage(ctx, tx, t)
			if err != nil || n < pageRows {
				return err
			}
			if err := s.onPage(); err != nil {
				return err
			}
		}
	})
}

// copyPage copies the next rows and returns how many there were. QueryExecModeExec
// gives the values as text. It also keeps FETCH out of the cache of prepared
// statements, where it would mean the columns of the query before.
func copyPage(ctx context.Context, tx pgx.Tx, t *table) (n int, err error) {
	rows, err := tx.Query(ctx, fetchPage, pgx.QueryExecModeExec)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if err := t.header(rows.FieldDescriptions()); err != nil {
		return 0, err
	}
	for ; rows.Next(); n++ {
		if err := t.row(rows.RawValues()); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

const noteSQL = `-- exports.note
UPDATE exports SET progress = $3 WHERE id = $1 AND attempt = $2 AND status = 'processing'`

// note records how far e's attempt is, through a connection of its own. It does not
// wait for one that is not free soon: a note more or less does not matter, but that
// the attempt was superseded does.
func note(ctx context.Context, db *pgxpool.Pool, e *Export, rows int64) error {
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	tag, err := db.Exec(short, noteSQL, e.ID, e.Attempt, rows)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrSuperseded
	}
	return ctx.Err()
}

// A counter counts what goes through it.
type counter struct {
	w io.Writer
	n *int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	*c.n += int64(n)
	return n, err
}
