// Package bench measures the queue on a Postgres: how fast a worker drains it, how soon
// an idle worker starts a job, what an insert costs, and what becomes of these in bad
// times. What it compares with is plain SQL on the same tables, measured in the same
// sitting. What is finished is counted by the database, never by handlers.
//
// It works in a schema of its own: [TakeSchema] makes that, and [Schema.Drop] drops it.
package bench

// A Progress says how far a measurement is. It may be called from several goroutines,
// many times a second, and should return soon.
type Progress func(what string, done, total int)

// orNone is p, or one that tells nobody.
func (p Progress) orNone() Progress {
	if p == nil {
		return func(string, int, int) {}
	}
	return p
}

// nothing is the job of all measurements.
type nothing struct {
	N int `json:"n"`
}

// Kind makes it an Args.
func (nothing) Kind() string { return kind }

const kind = "bench"
