// Here: how a job gets into the table. What can be said of a job at insert is a
// field of With, so it is at once a default of a kind, a setting of one job and
// an element of a batch.

package queue

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
)

// With is an [Args] that says more about one job than its kind does, and goes
// wherever an Args goes:
//
//	q.Insert(ctx, tx, queue.With{Args: NotifyCustomer{OrderID: 42}, Delay: time.Hour})
//
// A field left zero takes what the kind's InsertDefaults says, and then the
// default given here.
type With struct {
	Args // what to do; never nil

	// Queue is where the job waits; default "default". Spelled as a kind is.
	Queue string

	// Priority puts the ready jobs of one queue in order: 1 goes first, 4 last;
	// default 2. Among equals the earlier RunAt goes first, then the smaller ID.
	// It is strict: while there are jobs of priority 1 to claim, no others are. Quick
	// jobs are claimed a little ahead, and keep their place.
	Priority int

	// MaxAttempts is how often the job may run, the first run included, from 1 to
	// 1000; default 26, which is Sidekiq's "retry: 25". A run that was lost with
	// its process, given back by a stopping worker or snoozed is not counted.
	MaxAttempts int

	// RunAt is the earliest time to run; default now, by the database's clock. A
	// time past is as good as now. Kept to the microsecond, before the year 10000.
	RunAt time.Time

	// Delay is added to RunAt, and so to now if RunAt is zero. Negative means none.
	Delay time.Duration

	// Unique is a key that only one live job of its kind can hold, from 1 to 256
	// bytes; default none. While a queued or running job holds it, Insert stores
	// nothing and answers [Existing]. A job lets go of its key when it is
	// finished or dead. A unique index sees to this, so Insert waits for a
	// transaction that has inserted the key and not yet ended, and fails with
	// SQLSTATE 40001 in a REPEATABLE READ one that cannot see the holder.
	Unique string
}

// An InsertDefaulter is an [Args] that knows how jobs of its kind are inserted:
//
//	func (BatchExport) InsertDefaults() queue.With {
//		return queue.With{Queue: "exports", MaxAttempts: 2}
//	}
//
// It may depend on the value, as a Unique key will. The Args of what it returns
// is ignored.
type InsertDefaulter interface {
	InsertDefaults() With
}

// An Insertion is what became of one job to insert.
type Insertion struct {
	ID      int64 // the job that stands: the new one, or the Existing; 0 if Skipped
	Outcome Outcome
}

// Outcome is what an insert did.
type Outcome string

const (
	Inserted Outcome = "inserted" // a new job
	Existing Outcome = "existing" // none: a live job of the kind holds the Unique key
	Skipped  Outcome = "skipped"  // none: BeforeInsert returned [ErrSkip]
)

// The database decides what is past: a run_at there becomes the present.
const insertSQL = `-- queue.insert
INSERT INTO jobs (kind, queue, priority, max_attempts, args, unique_key, run_at)
VALUES ($1, $2, $3, $4, $5, $6,
        greatest(coalesce($7, clock_timestamp()) + $8::interval, clock_timestamp()))`

// A worker that sleeps is woken, unless it would find that the job is not due.
const ringing = `
RETURNING id, CASE WHEN $9 AND run_at <= clock_timestamp() THEN ring_bell(queue)::text END`

const insertPlainSQL = insertSQL + ringing

const insertUniqueSQL = insertSQL + `
ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING` + ringing

const holderSQL = `-- queue.holder
SELECT id FROM jobs WHERE kind = $1 AND unique_key = $2`

// Insert stores one job, in one round trip. An Existing job costs a second.
//
// A handler that wants a follow-up job to exist if and only if its own job
// completed inserts it through the transaction that ends its own: the tx of
// [TxHandler] or of [Job.Complete].
//
// It returns an [InvalidError] if Postgres would refuse or inflate the job: a
// kind, queue or key out of form; a number out of range; args over 1 MiB or
// nested deeper than 100, with invalid UTF-8, a NUL, half a surrogate pair, a
// number of more than 64 digits or with an exponent beyond ±308. Other errors
// are Postgres'. Through a pool or connection such an error may leave open
// whether the job was stored; with a Unique key it is safe to insert it again.
func (c *Client) Insert(ctx context.Context, db DB, args Args) (Insertion, error) {
	e, err := c.entry(ctx, args)
	if err != nil {
		return Insertion{}, err
	}
	if e == nil {
		return Insertion{Outcome: Skipped}, nil
	}
	made, err := e.insert(ctx, db, !c.Silent)
	if err != nil {
		return Insertion{}, fmt.Errorf("insert %s: %w", e.kind, err)
	}
	wakeAfter(db)
	return made, nil
}

// insert stores e, and rings for it or not. The holder of its key may end between the
// two statements: then the key is free, and it is tried again.
func (e *entry) insert(ctx context.Context, db DB, rings bool) (Insertion, error) {
	sql := insertPlainSQL
	if e.unique != nil {
		sql = insertUniqueSQL
	}
	for {
		var id int64
		err := db.QueryRow(ctx, sql, e.kind, e.queue, e.priority, e.maxAttempts,
			e.args, e.unique, e.runAt, e.delay, rings).Scan(&id, nil)
		if err == nil {
			return Insertion{ID: id, Outcome: Inserted}, nil
		}
		if e.unique == nil || !errors.Is(err, pgx.ErrNoRows) {
			return Insertion{}, err
		}
		// Planned anew: a plan that was made while the table was empty reads all of it.
		err = db.QueryRow(ctx, holderSQL, pgx.QueryExecModeExec, e.kind, e.unique).Scan(&id)
		if err == nil {
			return Insertion{ID: id, Outcome: Existing}, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return Insertion{}, err
		}
	}
}

// An entry is a job to insert, checked, as the statements want it.
type entry struct {
	kind        string
	queue       string
	priority    int16
	maxAttempts int16
	args        string
	unique      *string
	runAt       *time.Time // nil means now
	delay       time.Duration
}

// entry fills in the defaults, asks BeforeInsert and checks the result. It returns
// nil if the job is to be left out.
func (c *Client) entry(ctx context.Context, args Args) (*entry, error) {
	with, invalid := withDefaults(args)
	if invalid != nil {
		return nil, invalid
	}
	if c.BeforeInsert != nil {
		kind := with.Args.Kind()
		err := c.askBeforeInsert(ctx, &with)
		if errors.Is(err, ErrSkip) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("queue: insert %s: %w", kind, err)
		}
		if with, invalid = withDefaults(with); invalid == nil && with.Args.Kind() != kind {
			invalid = &InvalidError{Field: "Kind", Reason: fmt.Sprintf(
				"must stay %s, BeforeInsert made it %s", kind, with.Args.Kind())}
		}
		if invalid != nil {
			return nil, invalid
		}
	}
	e, invalid := newEntry(with)
	if invalid != nil {
		return nil, invalid
	}
	return e, nil
}

func (c *Client) askBeforeInsert(ctx context.Context, with *With) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("BeforeInsert: %w", panicError(p))
		}
	}()
	return c.BeforeInsert(ctx, with)
}

// newEntry checks a job whose defaults are filled in.
func newEntry(with With) (e *entry, invalid *InvalidError) {
	e = &entry{kind: with.Args.Kind(), queue: with.Queue, delay: max(with.Delay, 0)}
	if reason := checkName(e.kind); reason != "" {
		return nil, &InvalidError{Field: "Kind", Reason: reason}
	}
	if reason := checkName(e.queue); reason != "" {
		return nil, &InvalidError{Field: "Queue", Reason: reason}
	}
	if with.Priority < 1 || with.Priority > 4 {
		return nil, outOfRange("Priority", 1, 4, with.Priority)
	}
	if with.MaxAttempts < 1 || with.MaxAttempts > 1000 {
		return nil, outOfRange("MaxAttempts", 1, 1000, with.MaxAttempts)
	}
	e.priority, e.maxAttempts = int16(with.Priority), int16(with.MaxAttempts)
	if reason := checkUnique(with.Unique); reason != "" {
		return nil, &InvalidError{Field: "Unique", Reason: reason}
	}
	if with.Unique != "" {
		e.unique = &with.Unique
	}
	if with.RunAt.Unix() > 0 { // an earlier time is past by any clock
		// Times at the end of a time.Time wrap in comparisons.
		if with.RunAt.Unix() >= endOfTime.Unix() || !with.RunAt.Add(e.delay).Before(endOfTime) {
			return nil, &InvalidError{Field: "RunAt", Reason: "must be before the year 10000"}
		}
		e.runAt = &with.RunAt
	}
	e.args, invalid = encodeArgs(with.Args)
	if invalid != nil {
		return nil, invalid
	}
	return e, nil
}

func outOfRange(field string, low, high, is int) *InvalidError {
	return &InvalidError{
		Field: field, Reason: fmt.Sprintf("must be from %d to %d, is %d", low, high, is),
	}
}

// withDefaults returns what args says of a job, what it leaves open filled in
// from its kind and then from the package. Its Args is no With any more.
func withDefaults(args Args) (With, *InvalidError) {
	with := With{Args: args}
	for depth := 0; ; depth++ {
		inner, ok := with.Args.(With)
		if p, isPointer := with.Args.(*With); isPointer && p != nil {
			inner, ok = *p, true
		}
		if !ok {
			break
		}
		if depth == maxArgsDepth {
			const reason = "must not be a With that holds itself"
			return With{}, &InvalidError{Field: "Args", Reason: reason}
		}
		with.Args = inner.Args
		with = with.or(inner)
	}
	if v := reflect.ValueOf(with.Args); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return With{}, &InvalidError{Field: "Args", Reason: "must not be nil"}
	}
	if d, ok := with.Args.(InsertDefaulter); ok {
		with = with.or(d.InsertDefaults())
	}
	return with.or(With{Queue: "default", Priority: 2, MaxAttempts: 26}), nil
}

// or returns w with what it leaves zero taken from d.
func (w With) or(d With) With {
	if w.Queue == "" {
		w.Queue = d.Queue
	}
	if w.Priority == 0 {
		w.Priority = d.Priority
	}
	if w.MaxAttempts == 0 {
		w.MaxAttempts = d.MaxAttempts
	}
	if w.RunAt.IsZero() {
		w.RunAt = d.RunAt
	}
	if w.Delay == 0 {
		w.Delay = d.Delay
	}
	if w.Unique == "" {
		w.Unique = d.Unique
	}
	return w
}
