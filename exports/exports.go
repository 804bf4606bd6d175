// Here: an export's row, from pending to completed or failed.

// Package exports writes registered queries to CSV files for customers. It knows
// nothing of queues.
package exports

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// An Export is one file that someone asked for.
type Export struct {
	ID          int64
	Query       string            // name of a registered query
	Params      map[string]string // the query's parameters by name
	MailTo      string            // who is told when the file is there
	Status      Status
	Attempt     int   // counts Begin: part of the file's name
	Progress    int64 // rows that the latest attempt has written so far
	Path        string
	Rows        int64
	Bytes       int64
	SHA256      string
	Error       string // why the latest attempt failed
	RequestedAt time.Time
	BegunAt     time.Time // when the latest attempt began; zero before the first
	CompletedAt time.Time // zero unless completed
}

// Status is where an export stands.
type Status string

const (
	Pending    Status = "pending"    // not begun
	Processing Status = "processing" // begun, or left so by a crash
	Completed  Status = "completed"  // its file is there, whole
	Failed     Status = "failed"     // may begin again
)

var (
	// ErrNotFound says that there is no such export.
	ErrNotFound = errors.New("export not found")

	// ErrCompleted says that an export has its file.
	ErrCompleted = errors.New("export is completed")

	// ErrSuperseded says that an attempt has no say any more: another has begun, or
	// the export has ended.
	ErrSuperseded = errors.New("another attempt at the export has begun, or it has ended")
)

const createSQL = `-- exports.create
INSERT INTO exports (query, params, mail_to) VALUES ($1, $2, $3)
RETURNING id, status, requested_at`

// Create stores e's Query, Params and MailTo as a pending export, and sets its ID,
// Status and RequestedAt. It returns an [*InvalidError] for a query that is not
// registered, a parameter that it does not have or cannot read, and an address
// that is none; nothing was sent then.
func Create(ctx context.Context, tx pgx.Tx, e *Export) error {
	query, err := find(e.Query)
	if err != nil {
		return fmt.Errorf("create export: %w", err)
	}
	if _, err := query.args(e.Params); err != nil {
		return fmt.Errorf("create export of %s: %w", e.Query, err)
	}
	if err := checkAddress(e.MailTo); err != nil {
		return fmt.Errorf("create export of %s: %w", e.Query, err)
	}
	if e.Params == nil {
		e.Params = map[string]string{}
	}
	err = tx.QueryRow(ctx, createSQL, e.Query, e.Params, e.MailTo).
		Scan(&e.ID, &e.Status, &e.RequestedAt)
	if err != nil {
		return fmt.Errorf("create export of %s: %w", e.Query, err)
	}
	return nil
}

// The year 1 is Go's zero time.
const getSQL = `-- exports.get
SELECT id, query, params, mail_to, status, attempt, progress,
       COALESCE(path, '') AS path, COALESCE(rows, 0) AS rows, COALESCE(bytes, 0) AS bytes,
       COALESCE(sha256, '') AS sha256, COALESCE(error_message, '') AS error, requested_at,
       COALESCE(begun_at, '0001-01-01 00:00:00+00') AS begun_at,
       COALESCE(completed_at, '0001-01-01 00:00:00+00') AS completed_at
  FROM exports
 WHERE id = $1`

// Get reads an export as it is now. One that is not there is [ErrNotFound].
func Get(ctx context.Context, tx pgx.Tx, id int64) (*Export, error) {
	rows, _ := tx.Query(ctx, getSQL, id) // CollectExactlyOneRow returns its error
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Export])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read export %d: %w", id, err)
	}
	return e, nil
}

const beginSQL = `-- exports.begin
UPDATE exports
   SET status = 'processing', attempt = attempt + 1, begun_at = clock_timestamp(),
       progress = 0, error_message = NULL
 WHERE id = $1 AND status <> 'completed'`

// Begin marks an export as processing and returns it. It may begin again after
// it failed, or was left processing by a crash. Whatever an earlier attempt at it
// then writes with [Complete] or [Fail] is [ErrSuperseded]. Begin's own errors are
// [ErrNotFound] and [ErrCompleted].
func Begin(ctx context.Context, tx pgx.Tx, id int64) (*Export, error) {
	tag, err := tx.Exec(ctx, beginSQL, id)
	if err != nil {
		return nil, fmt.Errorf("begin export %d: %w", id, err)
	}
	e, err := Get(ctx, tx, id)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrCompleted
	}
	if err != nil {
		return nil, fmt.Errorf("begin export %d: %w", id, err)
	}
	return e, nil
}

const completeSQL = `-- exports.complete
UPDATE exports
   SET status = 'completed', completed_at = clock_timestamp(), progress = $4,
       path = $3, rows = $4, bytes = $5, sha256 = $6
 WHERE id = $1 AND attempt = $2 AND status = 'processing'`

// Complete records the file that e's attempt has written. It returns
// [ErrSuperseded] if another has begun since.
func Complete(ctx context.Context, tx pgx.Tx, e *Export, f *File) error {
	tag, err := tx.Exec(ctx, completeSQL, e.ID, e.Attempt, f.Name, f.Rows, f.Bytes, f.SHA256)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrSuperseded
	}
	if err != nil {
		return fmt.Errorf("complete export %d: %w", e.ID, err)
	}
	return nil
}

const failSQL = `-- exports.fail
UPDATE exports SET status = 'failed', error_message = $3
 WHERE id = $1 AND attempt = $2 AND status = 'processing'`

// Fail records why e's attempt has made no file. Its errors are Complete's.
func Fail(ctx context.Context, tx pgx.Tx, e *Export, cause error) error {
	tag, err := tx.Exec(ctx, failSQL, e.ID, e.Attempt, storable(cause.Error()))
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrSuperseded
	}
	if err != nil {
		return fmt.Errorf("fail export %d: %w", e.ID, err)
	}
	return nil
}

// storable makes an error's text one that its column takes.
func storable(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\u2400"), "\uFFFD")
	if runes := []rune(text); len(runes) > 1000 {
		text = string(runes[:1000])
	}
	if text == "" {
		return "an error without a text"
	}
	return text
}
