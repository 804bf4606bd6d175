package queue

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Path takes jobs through this process by hand, a batch at a time, so that what each
// step of it allocates can be counted. It is what a loop and the slots do, without a
// goroutine that turns by itself.
type Path struct {
	loop     *loop
	rows     string // selects running jobs as a claim returns them
	complete *pgconn.StatementDescription

	jobs    []*attempt
	endings []*ending
}

// NewPath returns that of w, which is registered as worker, for batches of n jobs.
func NewPath(ctx context.Context, w *Worker, worker int64, n int) (*Path, error) {
	r, err := w.prepare(ctx)
	if err != nil {
		return nil, err
	}
	r.id.Store(worker)
	conn, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	complete, err := conn.Prepare(ctx, "complete", completeSQL)
	if err != nil {
		return nil, err
	}
	_, columns, _ := strings.Cut(claimSQL, "RETURNING ")
	return &Path{
		loop: &loop{run: r, conn: conn}, complete: complete,
		rows: fmt.Sprintf("SELECT %s FROM jobs WHERE state = 'running' LIMIT %d", columns, n),
	}, nil
}

// Close ends its connection.
func (p *Path) Close() { p.loop.close() }

// Claim reads the rows of a batch.
func (p *Path) Claim(ctx context.Context) (jobs int, err error) {
	batch := &pgx.Batch{}
	batch.Queue(p.rows)
	results := p.loop.conn.SendBatch(ctx, batch)
	p.jobs, err = p.loop.readClaim(results, time.Now())
	return len(p.jobs), errors.Join(err, results.Close())
}

// Dispatch runs the jobs that Claim has read, the same ones each time.
func (p *Path) Dispatch() (jobs int, err error) {
	for _, a := range p.jobs {
		*a = attempt{lent: &lent{}, job: a.job, handler: a.handler, queue: a.queue}
	}
	p.loop.start(p.jobs, newToken())
	if err := p.await(len(p.jobs)); err != nil {
		return 0, err
	}
	s := p.loop.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	p.endings, s.ended, s.held = s.ended, nil, 0
	return len(p.endings), nil
}

// await returns when so many have ended that are not on record. It looks again and
// again, since a channel would be one more thing that costs.
func (p *Path) await(endings int) error {
	s := p.loop.slots
	for began := time.Now(); ; runtime.Gosched() {
		s.mu.Lock()
		n := len(s.ended)
		s.mu.Unlock()
		switch {
		case n == endings:
			return nil
		case time.Since(began) > time.Minute:
			return fmt.Errorf("%d of %d jobs have ended", n, endings)
		}
	}
}

// Finish encodes the ends of what Dispatch has run.
func (p *Path) Finish() (jobs int, err error) {
	batch := &pgx.Batch{}
	newRecord(p.endings).queue(batch)
	var built pgx.ExtendedQueryBuilder
	err = built.Build(p.loop.conn.TypeMap(), p.complete, batch.QueuedQueries[0].Arguments)
	return len(p.endings), err
}

// Turn records what the last one has brought, claims a whole batch and runs it.
func (p *Path) Turn(ctx context.Context) (jobs int, err error) {
	p.loop.slots.queues[0].ahead = aheadLimit // as it is once jobs end quickly
	if err := p.loop.turn(ctx); err != nil {
		return 0, err
	}
	_, held, _ := p.loop.slots.count()
	return held, p.await(held)
}

// Decoder returns what makes the Job of a row.
func Decoder[T Args]() func(row *JobRow) (*Job[T], error) {
	held, args := &claim{}, newDecoders(reflect.TypeFor[T]())
	return func(row *JobRow) (*Job[T], error) { return decode[T](row, held, args) }
}
