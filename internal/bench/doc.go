// Package bench measures the queue on a Postgres: how fast a worker drains it, how soon
// an idle worker starts a job, and what an insert costs. What it compares with is plain
// SQL on the same tables, measured in the same sitting.
//
// It works in a schema of its own: [TakeSchema] makes that, and [Schema.Drop] drops it.
package bench

// A Progress says how far a measurement is. It may be called from several goroutines,
// many times a second, and should return soon.
type Progress func(what string, done, total int)

// nothing is the job of all measurements.
type nothing struct {
	N int `json:"n"`
}

// Kind makes it an Args.
func (nothing) Kind() string { return kind }

const kind = "bench"
