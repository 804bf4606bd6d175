package queue_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// What InsertBatch says of batches that are sent in several parts.
func TestBatchesOfSeveralPartsMayDeadlockAndThenOneFails(t *testing.T) {
	b := setup(t)
	text := strings.Repeat("x", 1<<20-100)
	const jobs = 10 // of which five are more than 4 MB
	half := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	of := func(me int) iter.Seq2[queue.Args, error] {
		return func(yield func(queue.Args, error) bool) {
			for i := range jobs {
				if i == jobs/2 {
					close(half[me])
					<-half[1-me]
				}
				key := fmt.Sprint([2]int{i, jobs - 1 - i}[me])
				if !yield(queue.With{Args: Note{Text: text}, Unique: key}, nil) {
					return
				}
			}
		}
	}
	errs := make(chan error, 2)
	for me := range 2 {
		go func() {
			_, err := b.q.InsertBatch(t.Context(), b.db, of(me))
			errs <- err
		}()
	}
	failed, other := receive(t, errs), receive(t, errs)
	if failed == nil {
		failed, other = other, failed
	}
	require.NoError(t, other)
	var pgErr *pgconn.PgError
	require.ErrorAs(t, failed, &pgErr)
	require.Equal(t, "40P01", pgErr.Code)
	require.Equal(t, jobs, value[int](b, `SELECT count(*) FROM jobs`), "those of one batch")
}

// A pausing DB tells of each single insert of a batch before it is sent.
type pausing struct {
	queue.DB
	begin func(ctx context.Context) (pgx.Tx, error)
	pause func(n int)
}

func (p pausing) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := p.begin(ctx)
	return &pausingTx{tx, p.pause, 0}, err
}

type pausingTx struct {
	pgx.Tx
	pause func(n int)
	n     int
}

func (tx *pausingTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	tx.pause(tx.n)
	tx.n++
	return tx.Tx.QueryRow(ctx, sql, args...)
}

// The holders of two keys end after two batches have found them held. Then the batches
// insert the jobs one by one, and wait for each other at the first.
func TestBatchesWhoseKeysBecomeFreeDoNotDeadlock(t *testing.T) {
	b := setup(t)
	keyed := func(key string) queue.Args { return queue.With{Args: Note{}, Unique: key} }
	ids := []int64{b.insert(keyed("1")), b.insert(keyed("2"))}
	arrived, goOn := make(chan struct{}, 2), make(chan struct{})
	inserted, waits := make(chan struct{}, 1), make(chan struct{})
	var first sync.Once
	errs := make(chan error, 2)
	for _, jobs := range [][]queue.Args{{keyed("1"), keyed("2")}, {keyed("2"), keyed("1")}} {
		db := pausing{b.db, b.db.Begin, func(n int) {
			switch n {
			case 0: // the batch's statement found both keys held
				arrived <- struct{}{}
				<-goOn
			case 1:
				first.Do(func() {
					inserted <- struct{}{}
					<-waits
				})
			}
		}}
		go func() {
			_, err := b.q.InsertBatch(t.Context(), db, queue.Each(jobs))
			errs <- err
		}()
	}
	receive(t, arrived)
	receive(t, arrived)
	for _, id := range ids {
		require.NoError(t, b.q.Delete(t.Context(), b.db, id))
	}
	close(goOn)
	receive(t, inserted)
	require.Eventually(t, func() bool {
		return value[bool](b, `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	}, patience, 5*time.Millisecond, "the other batch waits")
	close(waits)
	require.NoError(t, receive(t, errs))
	require.NoError(t, receive(t, errs))
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM jobs`))
}
