package queue_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// list returns the ids of at most n jobs that match f.
func (b *bench) list(f queue.Filter, n int) (ids []int64) {
	b.t.Helper()
	for job, err := range b.q.List(b.t.Context(), b.db, f) {
		require.NoError(b.t, err)
		if len(ids) == n {
			break
		}
		ids = append(ids, job.ID)
	}
	return ids
}

// Conformance 159.
func TestListGoesOnWhereAPageBeforeEnded(t *testing.T) {
	for _, size := range []int{20, 30, 100, 101} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			b := setup(t)
			b.batch(b.db, notes(100)...)
			before, all := int64(0), []int64{}
			for left := 100; left > 0; left -= size {
				page := b.list(queue.Filter{Before: before}, size)
				require.Len(t, page, min(size, left))
				all, before = append(all, page...), page[len(page)-1]
			}
			require.IsDecreasing(t, all)
			require.Len(t, all, 100)
			require.Empty(t, b.list(queue.Filter{Before: before}, size), "past the end")
		})
	}
}

// Conformance 111.
func TestArgsOfAnyShapeAreListedAsTheyAre(t *testing.T) {
	b := setup(t)
	shapes := map[int64]string{}
	for i, shape := range []string{
		`null`, `true`, `12345678901234567890.5`, `"<script>alert(1)</script>"`, `[]`, `[1, [2, {"a": null}]]`,
		`{"text": {"not": "text"}}`, `{"text": 1, "more": "of it"}`, `{"": ""}`, `{"a": "\u0001\u2028\ufffd"}`,
		`{"deep": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`,
		`"` + strings.Repeat("long ", 300_000) + `"`,
	} {
		id := b.insert(Note{})
		b.exec(`UPDATE jobs SET args = $2::text::jsonb WHERE id = $1`, id, shape)
		if i%2 == 0 { // half of them among the dead
			b.exec(`WITH gone AS (DELETE FROM jobs WHERE id = $1 RETURNING *)
				INSERT INTO dead_jobs (`+queue.Carried+`, state)
				SELECT `+queue.Carried+`, 'dead' FROM gone`, id)
		}
		shapes[id] = shape
	}
	listed := 0
	for job, err := range b.q.List(t.Context(), b.db, queue.Filter{}) {
		require.NoError(t, err)
		require.JSONEq(t, shapes[job.ID], string(job.Args))
		require.Equal(t, "note", job.Kind)
		one, err := b.q.Get(t.Context(), b.db, job.ID)
		require.NoError(t, err)
		require.Equal(t, job, one)
		listed++
	}
	require.Equal(t, len(shapes), listed)
}

// Conformance 115.
func TestRunningJobsAreListedWithTheirWorker(t *testing.T) {
	b := setup(t)
	b.w.Queues = []queue.Queue{{Name: "one", Slots: 1}, {Name: "two", Slots: 1}}
	g := newGate(true)
	queue.Handle(b.w, g)
	queues := map[int64]string{}
	for _, q := range b.w.Queues {
		queues[b.insert(queue.With{Args: Note{}, Queue: q.Name})] = q.Name
		b.insert(queue.With{Args: Note{}, Queue: q.Name}) // waits for the slot
	}
	b.run()
	receive(t, g.started)
	receive(t, g.started)
	name, listed := value[string](b, `SELECT name FROM workers`), 0
	for job, err := range b.q.List(t.Context(), b.db, queue.Filter{State: queue.StateRunning}) {
		require.NoError(t, err)
		require.Equal(t, name, job.Worker)
		require.NotEmpty(t, job.Worker)
		require.Equal(t, queues[job.ID], job.Queue)
		require.Equal(t, 1, job.Attempt)
		require.False(t, job.ClaimedAt.Before(job.CreatedAt))
		require.Equal(t, []int64{job.ID}, b.list(queue.Filter{State: queue.StateRunning, Queue: job.Queue}, 10))
		found, err := b.q.Get(t.Context(), b.db, job.ID)
		require.NoError(t, err)
		require.Equal(t, job, found)
		require.Equal(t, name, value[string](b, `SELECT worker FROM running_jobs WHERE id = $1 AND age > '0'`, job.ID))
		listed++
	}
	require.Equal(t, 2, listed)
	close(g.open)
}

// A filter may be what somebody typed into a form.
func TestListAnswersFiltersThatNoJobCanMatch(t *testing.T) {
	b := setup(t)
	b.insert(Note{})
	long := strings.Repeat("x", 10<<20)
	tx := b.begin(pgx.TxOptions{})
	for what, test := range map[string]struct {
		filter  queue.Filter
		invalid string // the field that is refused, if one is
	}{
		"a kind of a quote":           {queue.Filter{Kind: `note' OR '1'='1`}, "Kind"},
		"a kind of a pattern":         {queue.Filter{Kind: "%"}, "Kind"},
		"a kind with a NUL":           {queue.Filter{Kind: "note\x00"}, "Kind"},
		"a kind of broken UTF-8":      {queue.Filter{Kind: "\xff"}, "Kind"},
		"a kind in capitals":          {queue.Filter{Kind: "NOTE"}, ""},
		"a kind with a blank":         {queue.Filter{Kind: "note "}, "Kind"},
		"a very long kind":            {queue.Filter{Kind: long}, "Kind"},
		"a queue of a quote":          {queue.Filter{Queue: `"default"; --`}, "Queue"},
		"a queue with letters":        {queue.Filter{Queue: "défaut"}, "Queue"},
		"a very long queue":           {queue.Filter{Queue: long}, "Queue"},
		"a queue with a NUL":          {queue.Filter{Queue: "a\x00"}, "Queue"},
		"a queue of broken UTF-8":     {queue.Filter{Queue: "\xff"}, "Queue"},
		"a state that is none":        {queue.Filter{State: "lost"}, "State"},
		"a state in capitals":         {queue.Filter{State: "QUEUED"}, "State"},
		"a state with a blank":        {queue.Filter{State: "queued "}, "State"},
		"a state with a NUL":          {queue.Filter{State: "queued\x00"}, "State"},
		"a state of broken UTF-8":     {queue.Filter{State: "\xff"}, "State"},
		"a very long state":           {queue.Filter{State: queue.State(long)}, "State"},
		"a state with a quote":        {queue.Filter{State: `'; DROP TABLE jobs; --`}, "State"},
		"before the first":            {queue.Filter{Before: 1}, ""},
		"before a negative number":    {queue.Filter{Before: -1}, ""},
		"a kind and another's state":  {queue.Filter{Kind: "note", State: queue.StateDead}, ""},
		"a kind and a state that err": {queue.Filter{Kind: "note", State: "lost"}, "State"},
	} {
		var errs []error
		for job, err := range b.q.List(t.Context(), tx, test.filter) {
			require.Nil(t, job, what)
			errs = append(errs, err)
		}
		if test.invalid == "" {
			require.Empty(t, errs, what)
			continue
		}
		require.Len(t, errs, 1, what)
		var invalid *queue.InvalidError
		require.ErrorAs(t, errs[0], &invalid, what)
		require.Equal(t, test.invalid, invalid.Field, what)
		require.Less(t, len(errs[0].Error()), 1000, what)
	}
	require.NoError(t, tx.Commit(t.Context()), "the transaction lives on")
	require.Equal(t, []int64{1}, b.list(queue.Filter{Before: math.MaxInt64}, 10))
}

// The caller's own end of a loop, and an error of its connection, end the walk.
func TestListEndsWhereItsLoopOrItsConnectionDoes(t *testing.T) {
	b := setup(t)
	b.batch(b.db, notes(450)...)
	tx := b.begin(pgx.TxOptions{})
	var seen []int64
	for job, err := range b.q.List(t.Context(), tx, queue.Filter{}) {
		require.NoError(t, err)
		if seen = append(seen, job.ID); len(seen) == 250 {
			break
		}
	}
	require.IsDecreasing(t, seen, "through more than one page")
	require.Len(t, seen, 250)
	b.batch(tx, Note{Text: "after a break"})

	var errs []error
	rows := 0
	for job, err := range b.q.List(t.Context(), tx, queue.Filter{}) {
		if err != nil {
			require.Nil(t, job)
			errs = append(errs, err)
			continue
		}
		if rows++; rows == 1 {
			require.NoError(t, tx.Rollback(t.Context()))
		}
	}
	require.Equal(t, 200, rows, "a page was read")
	require.Len(t, errs, 1)
	require.True(t, errors.Is(errs[0], pgx.ErrTxClosed), "%v", errs[0])
}
