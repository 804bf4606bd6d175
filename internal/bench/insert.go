// Here: what an insert costs.

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// InsertOptions say what [Insert] measures.
type InsertOptions struct {
	Jobs     int      // that are inserted one by one in each run; at least 1
	Batch    int      // jobs of a batch; at least 1
	Runs     int      // at least 1
	Progress Progress // may be nil
}

// A Comparison is a figure beside that of plain SQL, each the median of its runs.
type Comparison struct {
	JobsPerSecond float64   `json:"jobs_per_second"`
	Plain         float64   `json:"plain_jobs_per_second"`
	Ratio         float64   `json:"ratio"`
	Runs          []float64 `json:"runs"` // jobs a second of each
	PlainRuns     []float64 `json:"plain_runs"`
}

// An InsertResult is what [Insert] has found.
type InsertResult struct {
	Jobs   int        `json:"jobs"`
	Batch  int        `json:"batch_jobs"`
	Single Comparison `json:"insert,omitzero"`       // Insert, and an INSERT by pgx
	InTx   Comparison `json:"insert_in_tx,omitzero"` // either as a transaction's third
	Many   Comparison `json:"insert_batch,omitzero"` // InsertBatch, and a COPY by pgx
}

// Insert measures how many jobs a second one connection inserts: one by one, each in its
// own transaction; one by one, each in a transaction that writes two other rows; and as
// a batch. Plain SQL stores the same rows through the same pool, in turns, so that noise
// meets both.
//
// After an error it returns what it has along with it.
func Insert(
	ctx context.Context, db *pgxpool.Pool, o InsertOptions,
) (r InsertResult, err error) {
	r = InsertResult{Jobs: o.Jobs, Batch: o.Batch}
	if o.Jobs < 1 || o.Batch < 1 || o.Runs < 1 {
		return r, fmt.Errorf("bench: insert: %d jobs and a batch of %d in %d runs "+
			"is nothing to measure", o.Jobs, o.Batch, o.Runs)
	}
	o.Progress = o.Progress.orNone()
	if _, err := db.Exec(ctx, makeOrdersDDL); err != nil {
		return r, err
	}
	const turn = 50 // inserts by one side before it is the other's turn
	var n inserter
	for range o.Runs {
		for _, part := range []struct {
			name       string
			into       *Comparison
			jobs, turn int
			ours       insertion
			plain      insertion
		}{
			{"insert", &r.Single, o.Jobs, turn, n.single, n.plainSingle},
			{"insert in a transaction", &r.InTx, o.Jobs, turn, n.inTx, n.plainInTx},
			{"insert batch", &r.Many, o.Batch, o.Batch, n.batch, n.plainBatch},
		} {
			tell := func(done int) { o.Progress(part.name, done, part.jobs) }
			err := part.into.run(ctx, db, part.jobs, part.turn, part.ours, part.plain, tell)
			if err != nil {
				return r, fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return r, nil
}

// An insertion stores jobs with the numbers from one up to another.
type insertion func(ctx context.Context, db *pgxpool.Pool, from, to int) error

// run has either side store so many jobs, by turns, and adds what comes of it.
func (c *Comparison) run(
	ctx context.Context, db *pgxpool.Pool, jobs, turn int, ours, plain insertion, tell func(int),
) error {
	if _, err := db.Exec(ctx, emptySQL); err != nil {
		return err
	}
	var took [2]time.Duration
	for from := 0; from < jobs; from += turn {
		to := min(from+turn, jobs)
		for i, insert := range []insertion{ours, plain} {
			began := time.Now()
			if err := insert(ctx, db, from, to); err != nil {
				return err
			}
			took[i] += time.Since(began)
		}
		tell(to)
	}
	c.Runs = append(c.Runs, rounded(float64(jobs)/took[0].Seconds(), 1))
	c.PlainRuns = append(c.PlainRuns, rounded(float64(jobs)/took[1].Seconds(), 1))
	c.JobsPerSecond, c.Plain = median(c.Runs), median(c.PlainRuns)
	c.Ratio = rounded(c.JobsPerSecond/c.Plain, 3)
	return nil
}

// An inserter has the six ways to insert.
type inserter struct{ client queue.Client }

func (n *inserter) single(ctx context.Context, db *pgxpool.Pool, from, to int) error {
	for i := from; i < to; i++ {
		if _, err := n.client.Insert(ctx, db, nothing{i}); err != nil {
			return err
		}
	}
	return nil
}

const plainInsertSQL = `-- bench.plain_insert
INSERT INTO jobs (kind, args) VALUES ($1, $2) RETURNING id`

func (n *inserter) plainSingle(ctx context.Context, db *pgxpool.Pool, from, to int) error {
	for i := from; i < to; i++ {
		var id int64
		if err := db.QueryRow(ctx, plainInsertSQL, kind, argsOf(i)).Scan(&id); err != nil {
			return err
		}
	}
	return nil
}

// argsOf returns the args of a job as they are stored.
func argsOf(n int) json.RawMessage {
	return json.RawMessage(`{"n":` + strconv.Itoa(n) + `}`)
}

const makeOrdersDDL = `-- bench.make_orders
CREATE TABLE IF NOT EXISTS bench_orders (
  id    bigint  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  paid  boolean NOT NULL DEFAULT false,
  buyer text    NOT NULL
)`

const orderSQL = `-- bench.order
INSERT INTO bench_orders (buyer) VALUES ($1) RETURNING id`

const paySQL = `-- bench.pay
UPDATE bench_orders SET paid = true WHERE id = $1`

// order writes what a caller's transaction would, before its third statement.
func order(ctx context.Context, tx pgx.Tx) error {
	var id int64
	if err := tx.QueryRow(ctx, orderSQL, "somebody").Scan(&id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, paySQL, id)
	return err
}

func (n *inserter) inTx(ctx context.Context, db *pgxpool.Pool, from, to int) error {
	for i := from; i < to; i++ {
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if err := order(ctx, tx); err != nil {
				return err
			}
			_, err := n.client.Insert(ctx, tx, nothing{i})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *inserter) plainInTx(ctx context.Context, db *pgxpool.Pool, from, to int) error {
	for i := from; i < to; i++ {
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if err := order(ctx, tx); err != nil {
				return err
			}
			var id int64
			return tx.QueryRow(ctx, plainInsertSQL, kind, argsOf(i)).Scan(&id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *inserter) batch(ctx context.Context, db *pgxpool.Pool, from, to int) error {
	_, err := n.client.InsertBatch(ctx, db, numbered(from, to))
	return err
}

// plainBatch copies all rows at once, and leaves ids and times to the table.
func (n *inserter) plainBatch(ctx context.Context, db *pgxpool.Pool, from, to int) error {
	row := []any{kind, nil}
	source := pgx.CopyFromSlice(to-from, func(i int) ([]any, error) {
		row[1] = argsOf(from + i)
		return row, nil
	})
	stored, err := db.CopyFrom(ctx, pgx.Identifier{"jobs"}, []string{"kind", "args"}, source)
	if err == nil && stored != int64(to-from) {
		err = fmt.Errorf("%d of %d rows were stored", stored, to-from)
	}
	return err
}
