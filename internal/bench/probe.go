// Here: listening in on what a worker says to the database.

package bench

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A probe hears each statement of the connections that are made with a pool's settings,
// a worker's own included, as a tracer of pgx. It asks the database nothing.
type probe struct {
	statements atomic.Int64 // that were sent
	finished   atomic.Int64 // jobs, as the database has answered and committed

	mu     sync.Mutex
	claims []claimed // in the order in which they ended
}

// A claimed is a batch in which a worker finished and claimed: one round trip.
type claimed struct {
	at       time.Time // when its last answer had been read
	took     time.Duration
	finished int
}

// listen returns a pool as db is, and a probe of it.
func listen(ctx context.Context, db *pgxpool.Pool) (*probe, *pgxpool.Pool, error) {
	p, config := &probe{}, db.Config()
	config.ConnConfig.Tracer = p
	own, err := pgxpool.NewWithConfig(ctx, config)
	return p, own, err
}

// since returns the batches that ended from then on.
func (p *probe) since(at time.Time) []claimed {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.claims)
	for n > 0 && !p.claims[n-1].at.Before(at) {
		n--
	}
	return slices.Clone(p.claims[n:])
}

// trips returns how long the batches took that ended in a span, in milliseconds, sorted.
func trips(claims []claimed, from, to time.Time) (ms []float64) {
	for _, c := range claims {
		if !c.at.Before(from) && c.at.Before(to) {
			ms = append(ms, float64(c.took)/float64(time.Millisecond))
		}
	}
	slices.Sort(ms)
	return ms
}

// A flight is a batch on its way.
type flight struct {
	began    time.Time
	claims   bool
	finished int
}

type flightKey struct{}

// TraceBatchStart is called before a batch is sent.
func (p *probe) TraceBatchStart(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData,
) context.Context {
	f := &flight{began: time.Now()}
	for _, q := range data.Batch.QueuedQueries {
		f.claims = f.claims || strings.HasPrefix(q.SQL, "-- queue.claim\n")
	}
	return context.WithValue(ctx, flightKey{}, f)
}

// TraceBatchQuery is called when the answer to a statement of a batch has been read.
func (p *probe) TraceBatchQuery(
	ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData,
) {
	p.statements.Add(1)
	f, ok := ctx.Value(flightKey{}).(*flight)
	if ok && data.Err == nil && strings.HasPrefix(data.SQL, "-- queue.complete\n") {
		f.finished += int(data.CommandTag.RowsAffected())
	}
}

// TraceBatchEnd is called when all answers have been read, that to COMMIT among them.
func (p *probe) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	f, ok := ctx.Value(flightKey{}).(*flight)
	if !ok || data.Err != nil {
		return
	}
	p.finished.Add(int64(f.finished))
	if !f.claims {
		return
	}
	at := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims = append(p.claims, claimed{at, at.Sub(f.began), f.finished})
}

// TraceQueryStart is called before a single statement is sent.
func (p *probe) TraceQueryStart(
	ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData,
) context.Context {
	p.statements.Add(1)
	return ctx
}

// TraceQueryEnd has nothing to note.
func (p *probe) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
