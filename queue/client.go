// Here: what a caller holds. A Client is a policy, a DB is where it acts.

package queue

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Client puts jobs on the queue and reads them. Its zero value is ready for
// use, by any number of goroutines; do not change its fields after the first use.
//
// It holds no connection. Every method names the [DB] it works through, so the
// reader sees whether a job joins a transaction.
type Client struct {
	// Silent keeps inserts from waking sleeping workers by NOTIFY, which no
	// transaction that ends in PREPARE TRANSACTION may contain. They then find the
	// jobs at their next poll, within a second.
	Silent bool

	// BeforeInsert, if set, is called for each job before it is stored, with
	// the defaults filled in. It may change anything but the kind. Returning
	// [ErrSkip] leaves the job out: its Outcome is [Skipped]. Any other error, or a
	// panic, refuses it: nothing is stored, and Insert returns that error, wrapped.
	BeforeInsert func(ctx context.Context, job *With) error
}

// DB is a [*pgxpool.Pool], a [*pgx.Conn] or a [pgx.Tx]: pgx's three verbs, which
// sqlc's DBTX has too.
//
// A write through a pool or a connection is committed when the call returns,
// one through a transaction when that commits. An error from Postgres aborts a
// transaction, as any SQL does; whatever can be refused in Go is refused before
// anything is sent, with an [InvalidError], which leaves it usable.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

var (
	_ DB = (*pgxpool.Pool)(nil)
	_ DB = (*pgx.Conn)(nil)
	_ DB = pgx.Tx(nil)
)
