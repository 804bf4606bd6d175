// Here: many jobs at once, all or none.

package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	chunkRows  = 5000
	chunkBytes = 4 << 20
	maxInvalid = 100 // bad jobs that are named before a batch gives up
)

// InsertBatch stores all of jobs or none, in their order, and answers for each
// at its place. It takes jobs as they come and holds at most 5,000 of them, or
// 4 MB of arguments; twice that where db is a pool, to which it sends some while the
// next come together. No jobs is no error.
//
// jobs is any iterator; [Each] makes one of a slice. An error that it yields
// ends the batch and is returned. Bad jobs are returned as an [InvalidError]
// each, with its Index, up to 100 of them, joined by [errors.Join]. In a
// transaction the batch works behind a savepoint, so that the transaction
// outlives such errors. A [DB] that is none of pgx's needs a Begin like theirs.
//
// Two batches with the same Unique keys wait for each other. If their keys are in
// another order and either has more than 5,000 jobs, or 4 MB of arguments, they may
// deadlock: then Postgres has one of them fail with SQLSTATE 40P01.
func (c *Client) InsertBatch(
	ctx context.Context, db DB, jobs iter.Seq2[Args, error],
) ([]Insertion, error) {
	tx, err := begin(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("insert batch: %w", err)
	}
	committed := false
	defer func() {
		if !committed { // an error, or a panic of the iterator or of a job's methods
			rollback(ctx, tx)
		}
	}()
	made, err := c.insertAll(ctx, db, tx, jobs)
	if err != nil {
		return nil, err
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, fmt.Errorf("insert batch: %w", err)
	}
	committed = true
	wakeAfter(db)
	return made, nil
}

// Each makes a slice a sequence for [Client.InsertBatch]. Elements of several
// kinds, or of With, go into a []Args.
func Each[T Args](jobs []T) iter.Seq2[Args, error] {
	return func(yield func(Args, error) bool) {
		for _, job := range jobs {
			if !yield(job, nil) {
				return
			}
		}
	}
}

// begin starts a transaction of db's, or a savepoint if db is one.
func begin(ctx context.Context, db DB) (pgx.Tx, error) {
	switch db := db.(type) {
	case interface {
		BeginTx(context.Context, pgx.TxOptions) (pgx.Tx, error)
	}:
		return db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	case interface {
		Begin(context.Context) (pgx.Tx, error)
	}:
		return db.Begin(ctx)
	}
	return nil, fmt.Errorf("a %T has no Begin", db)
}

// insertAll stores jobs chunk by chunk in a transaction of db's. After a bad job it only
// checks the rest.
func (c *Client) insertAll(
	ctx context.Context, db DB, tx pgx.Tx, jobs iter.Seq2[Args, error],
) ([]Insertion, error) {
	var (
		chunk []*entry
		bytes int
		bad   []error
		index int
		due   = make(map[string]bool) // queues in which a job may run at once
	)
	_, ours := db.(*pgxpool.Pool)
	st := &store{tx: tx, alone: ours}
	defer func() { _ = st.land() }() // what an error or a panic leaves on its way
	flush := func() error {
		if len(bad) > 0 || len(chunk) == 0 {
			return nil
		}
		full := chunk
		chunk, bytes = nil, 0
		return st.send(ctx, full)
	}
	for args, err := range jobs {
		if err != nil {
			return nil, err
		}
		e, err := c.entry(ctx, args)
		if invalid, ok := errors.AsType[*InvalidError](err); ok {
			invalid.Index, invalid.inBatch = index, true
			if bad = append(bad, invalid); len(bad) == maxInvalid {
				break
			}
		} else if err != nil {
			return nil, fmt.Errorf("job %d of the batch: %w", index, err)
		} else if len(bad) == 0 {
			chunk = append(chunk, e)
			if e != nil {
				bytes += len(e.args)
				if e.runAt == nil && e.delay == 0 {
					due[e.queue] = true
				}
			}
		}
		if len(chunk) == chunkRows || bytes >= chunkBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		index++
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	if err := errors.Join(flush(), st.land()); err != nil {
		return nil, err
	}
	return st.made, c.ring(ctx, tx, due)
}

// A store stores chunks, one after the other, in a transaction. If nobody else can use
// that, it does so while the next chunk comes together, and the database need not wait
// for this process.
type store struct {
	tx    pgx.Tx
	alone bool
	made  []Insertion   // of the chunks that have landed
	way   chan chunkEnd // of the chunk that has not; nil if there is none
}

type chunkEnd struct {
	made []Insertion
	err  error
}

// send has entries stored, and returns the error of the chunk before if there was one.
func (s *store) send(ctx context.Context, entries []*entry) error {
	if err := s.land(); err != nil {
		return err
	}
	way := make(chan chunkEnd, 1)
	s.way = way
	insert := func() {
		made, err := insertChunk(ctx, s.tx, entries)
		way <- chunkEnd{made, err}
	}
	if s.alone {
		go insert()
		return nil
	}
	insert()
	return s.land()
}

// land waits for what was sent.
func (s *store) land() error {
	if s.way == nil {
		return nil
	}
	end := <-s.way
	s.way, s.made = nil, append(s.made, end.made...)
	return end.err
}

const ringSQL = `-- queue.ring
SELECT ring_bell(name) FROM unnest($1::text[]) AS q (name)`

// ring wakes the workers of queues that sleep, once tx commits.
func (c *Client) ring(ctx context.Context, tx pgx.Tx, due map[string]bool) error {
	if c.Silent || len(due) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, ringSQL, slices.Collect(maps.Keys(due))); err != nil {
		return fmt.Errorf("insert batch: %w", err)
	}
	return nil
}

// Keyed rows go in by the order of their keys, so that two such statements that
// take the same keys wait for each other and do not deadlock. Others keep the
// batch's order.
const insertChunkSQL = `-- queue.insert_chunk
INSERT INTO jobs (kind, queue, priority, max_attempts, args, unique_key, run_at)
SELECT kind, queue, priority, max_attempts, args, unique_key,
       greatest(coalesce(run_at, clock_timestamp()) + delay, clock_timestamp())
  FROM unnest($1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::jsonb[],
              $6::text[], $7::timestamptz[], $8::interval[])
       WITH ORDINALITY AS t (kind, queue, priority, max_attempts, args, unique_key,
                             run_at, delay, place)
 ORDER BY CASE WHEN unique_key IS NOT NULL THEN kind END NULLS FIRST, unique_key, place
ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
RETURNING id, kind, unique_key`

// insertChunk stores entries, which are few enough to be held at once. One that is
// nil is to be left out.
func insertChunk(ctx context.Context, tx pgx.Tx, entries []*entry) ([]Insertion, error) {
	ids, err := storeChunk(ctx, tx, entries)
	if err != nil {
		return nil, fmt.Errorf("insert batch: %w", err)
	}
	made := make([]Insertion, len(entries))
	var held []int // places of those whose key was held
	for i, e := range entries {
		if e == nil {
			made[i] = Insertion{Outcome: Skipped}
			continue
		}
		key := e.identity()
		if free := ids[key]; len(free) > 0 {
			made[i], ids[key] = Insertion{ID: free[0], Outcome: Inserted}, free[1:]
			continue
		}
		held = append(held, i)
	}
	// The holders may have ended since: then these insert, by the order of keys too.
	slices.SortStableFunc(held, func(i, j int) int {
		return entries[i].identity().compare(entries[j].identity())
	})
	for _, i := range held {
		if made[i], err = entries[i].insert(ctx, tx, false); err != nil {
			return nil, fmt.Errorf("insert batch: %s: %w", entries[i].kind, err)
		}
	}
	return made, nil
}

// storeChunk stores all of entries but those that are nil and those whose key is
// held, and returns the new ids by identity, ascending.
func storeChunk(
	ctx context.Context, tx pgx.Tx, entries []*entry,
) (map[identity][]int64, error) {
	var plain, keyed []*entry
	for _, e := range entries {
		switch {
		case e == nil:
		case e.unique == nil:
			plain = append(plain, e)
		default:
			keyed = append(keyed, e)
		}
	}
	ids := make(map[identity][]int64)
	if len(plain) >= copyLeast {
		copied, err := copyPlain(ctx, tx, plain)
		if err != nil {
			return nil, err
		}
		if copied != nil {
			ids[identity{}], plain = copied, nil
		}
	}
	rest := append(keyed, plain...)
	if len(rest) == 0 {
		return ids, nil
	}
	return ids, sendChunk(ctx, tx, rest, ids)
}

// identity is what tells the rows that a chunk's statement returns apart. Those
// without a key are alike: they get their ids in order.
type identity struct {
	kind, unique string
}

func (i identity) compare(j identity) int {
	return cmp.Or(cmp.Compare(i.kind, j.kind), cmp.Compare(i.unique, j.unique))
}

func (e *entry) identity() identity {
	if e.unique == nil {
		return identity{}
	}
	return identity{e.kind, *e.unique}
}

// sendChunk sends the statement and adds the new ids to ids, ascending.
func sendChunk(
	ctx context.Context, tx pgx.Tx, entries []*entry, ids map[identity][]int64,
) error {
	n := len(entries)
	kinds, queues, args := make([]string, n), make([]string, n), make([]string, n)
	priorities, attempts := make([]int16, n), make([]int16, n)
	keys, times, delays := make([]*string, n), make([]*time.Time, n), make([]time.Duration, n)
	for i, e := range entries {
		kinds[i], queues[i], args[i], keys[i] = e.kind, e.queue, e.args, e.unique
		priorities[i], attempts[i] = e.priority, e.maxAttempts
		times[i], delays[i] = e.runAt, e.delay
	}
	rows, _ := tx.Query(ctx, insertChunkSQL, // ForEachRow returns its error
		kinds, queues, priorities, attempts, args, keys, times, delays)
	var (
		id     int64
		kind   string
		unique *string
	)
	_, err := pgx.ForEachRow(rows, []any{&id, &kind, &unique}, func() error {
		key := (&entry{kind: kind, unique: unique}).identity()
		ids[key] = append(ids[key], id)
		return nil
	})
	slices.Sort(ids[identity{}]) // a key has one
	return err
}
