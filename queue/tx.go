// Here: the transaction of a TxHandler, which the worker begins and ends.

package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// runInTx has work write in a transaction, and completes c's job in it. The
// transaction's last statements and its COMMIT make one round trip.
func runInTx(ctx context.Context, db *pgxpool.Pool, c *claim, work func(tx pgx.Tx) error) error {
	conn, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	inner, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return err
	}
	tx, committed := &lentTx{Tx: inner}, false
	defer func() {
		if !committed { // an error, a panic or Goexit
			rollback(ctx, inner)
		}
	}()
	err = work(tx)
	tx.over.Store(true)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	if !c.completing.Swap(true) { // unless the handler has called Complete itself
		batch.Queue(lastSQL)
		batch.Queue(completeInTxSQL, c.id, c.token)
	}
	batch.Queue("COMMIT")
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return c.explain("complete", err)
	}
	committed = true
	return nil
}

// rollback ends tx also when ctx has ended. Where it fails the connection is
// gone, or the pool throws it away since a transaction is open on it.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// lentTx is a transaction that its user does not end, and does not use once it
// has given it back: by then its connection may serve somebody else.
type lentTx struct {
	pgx.Tx
	over atomic.Bool
}

var (
	errLent = errors.New("queue: the worker ends the transaction of a TxHandler")
	errOver = errors.New("queue: the transaction of a TxHandler ends when it returns")
)

func (tx *lentTx) Commit(context.Context) error   { return errLent }
func (tx *lentTx) Rollback(context.Context) error { return errLent }

func (tx *lentTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if tx.over.Load() {
		return nil, errOver
	}
	return tx.Tx.Begin(ctx)
}

func (tx *lentTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if tx.over.Load() {
		return pgconn.CommandTag{}, errOver
	}
	return tx.Tx.Exec(ctx, sql, args...)
}

func (tx *lentTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if tx.over.Load() {
		return nil, errOver
	}
	return tx.Tx.Query(ctx, sql, args...)
}

func (tx *lentTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if tx.over.Load() {
		return overRow{}
	}
	return tx.Tx.QueryRow(ctx, sql, args...)
}

type overRow struct{}

func (overRow) Scan(...any) error { return errOver }
