package queue_test

import (
	"iter"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// breaks yields n jobs and then does how.
func breaks(n int, how func(yield func(queue.Args, error) bool)) iter.Seq2[queue.Args, error] {
	return func(yield func(queue.Args, error) bool) {
		for _, job := range notes(n) {
			if !yield(job, nil) {
				return
			}
		}
		how(yield)
	}
}

// mine is a job whose methods panic.
type mine struct{ at string }

func (m mine) Kind() string {
	if m.at == "Kind" {
		panic("in Kind")
	}
	return "note"
}

func (m mine) InsertDefaults() queue.With {
	if m.at == "InsertDefaults" {
		panic("in InsertDefaults")
	}
	return queue.With{}
}

func (m mine) MarshalJSON() ([]byte, error) { panic("in MarshalJSON") }

func TestTransactionOutlivesABatchThatBreaks(t *testing.T) {
	type yield = func(queue.Args, error) bool
	of := func(args queue.Args) func(yield) { return func(y yield) { y(args, nil) } }
	for what, how := range map[string]func(yield){
		"an error":                   func(y yield) { y(nil, errSource) },
		"a panic":                    func(yield) { panic("a bug of the iterator's") },
		"Goexit":                     func(yield) { runtime.Goexit() },
		"a panic after its error":    func(y yield) { y(nil, errSource); panic("late") },
		"a job after its error":      func(y yield) { y(nil, errSource); y(Note{}, nil) },
		"a panic in Kind":            of(mine{at: "Kind"}),
		"a panic in InsertDefaults":  of(mine{at: "InsertDefaults"}),
		"a panic in MarshalJSON":     of(mine{}),
		"a nil job of a nil pointer": of((*mine)(nil)),
	} {
		t.Run(what, func(t *testing.T) {
			b := setup(t)
			for where, n := range map[string]int{"before a statement": 5, "after one": atOnce + 1} {
				tx := b.begin(pgx.TxOptions{})
				b.batch(tx, Note{Text: "before"})
				stored := make(chan bool, 1)
				go func() { // Goexit ends the goroutine
					done := false
					defer func() { _ = recover(); stored <- done }()
					_, err := b.q.InsertBatch(t.Context(), tx, breaks(n, how))
					done = err == nil
				}()
				require.False(t, receive(t, stored), where)
				b.batch(tx, Note{Text: "after"})
				require.NoError(t, tx.Commit(t.Context()), where)
				require.Equal(t, []string{"before", "after"}, b.live(), where)
				b.exec(`DELETE FROM jobs`)
			}
		})
	}
}
