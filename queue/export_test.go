package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// What tests from outside need to see of the inside: the statements of the hot
// path, with arguments as the loop gives them.

// Carried are the columns that a job takes along from table to table.
const Carried = carried

// BatchLimit is how many jobs a batch takes at most.
const BatchLimit = batchLimit

// A Statement is SQL and its arguments.
type Statement struct {
	SQL  string
	Args []any
}

// Settings is what is set for a batch of the loop.
func Settings() Statement { return Statement{SQL: settingsSQL} }

// Claim is the loop's claim of so many jobs of kind note in a queue, for a worker. It
// begins behind a time, and takes some by their ids, too.
func Claim(worker int64, queue string, limit int32, cursor time.Time, found ...int64) Statement {
	return ClaimOf(worker, []string{queue}, limit, cursor, found...)
}

// ClaimOf is [Claim] for several queues, of each so many.
func ClaimOf(
	worker int64, queues []string, limit int32, cursor time.Time, found ...int64,
) Statement {
	l := &loop{run: &run{kinds: []string{"note"}}}
	l.id.Store(worker)
	w := &wish{
		queues: queues, suspect: true, token: newToken(),
		found: append([]int64{}, found...), strays: []int64{},
	}
	for range queues {
		w.ahead = append(w.ahead, limit)
		for range priorities {
			w.at, w.id = append(w.at, cursor), append(w.id, 0)
		}
	}
	return only(func(batch *pgx.Batch) { l.queueClaim(batch, w) })
}

// Sweep looks for jobs of kind note in queues, behind a time.
func Sweep(queues []string, after time.Time) Statement {
	return Statement{SQL: sweepSQL, Args: viewOf(queues, after).args([]string{"note"}, sweepLimit)}
}

// Poll asks whether there is one.
func Poll(queues []string, after time.Time) Statement {
	return Statement{SQL: anySQL, Args: viewOf(queues, after).args([]string{"note"}, 1)}
}

func viewOf(queues []string, after time.Time) *view {
	v := &view{queues: queues, strays: []int64{}}
	for range len(queues) * priorities {
		v.after, v.at, v.id = append(v.after, after), append(v.at, forever), append(v.id, 0)
	}
	return v
}

// Finishes are the loop's statements that end the attempts of a claim, by what becomes
// of the jobs.
func Finishes(ids []int64, token int64) map[string]Statement {
	statements := make(map[string]Statement)
	for name, f := range map[string]fate{
		"completed": completed, "discarded": discarded, "dead": dead, "failed": failed,
		"returned": returned, "settled": settled, "cancelled": cancelled,
	} {
		var endings []*ending
		wait := time.Minute
		for _, id := range ids {
			e := &ending{attempt: newAttempt(), fate: f, wait: &wait, err: ErrTimeout}
			e.claim.id, e.claim.token = id, token
			endings = append(endings, e)
		}
		statements[name] = only(func(batch *pgx.Batch) { newRecord(endings).queue(batch) })
	}
	return statements
}

// only returns the one statement that queue adds to a batch.
func only(queue func(*pgx.Batch)) Statement {
	batch := &pgx.Batch{}
	queue(batch)
	query := batch.QueuedQueries[0]
	return Statement{SQL: query.SQL, Args: query.Arguments}
}

// Exec runs s.
func (s Statement) Exec(ctx context.Context, db DB) error {
	_, err := db.Exec(ctx, s.SQL, s.Args...)
	return err
}
