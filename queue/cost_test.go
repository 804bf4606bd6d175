package queue_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// What a job costs, where that can be counted: WAL by EXPLAIN, which sees nothing of
// what other sessions write, and round trips by pgx.

// walPerJob is how many bytes of WAL a claim and a finish may write for a small job,
// its row in the history included. WAL is what bounds a large machine.
const walPerJob = 470

func TestClaimAndFinishWriteLittleWAL(t *testing.T) {
	b := setup(t)
	if value[string](b, `SHOW wal_level`) == "logical" {
		t.Skip("wal_level = logical has the server write more")
	}
	b.exec(`ALTER TABLE jobs SET (autovacuum_enabled = off)`)
	worker := b.liveWorker()
	const jobs, enough, rounds = 1000, 3, 100
	var claims, finishes []int
	for range rounds {
		b.batch(b.db, notes(jobs)...)
		claims = b.wal(claims, queue.Claim(worker, "default", jobs, time.Time{}))
		var (
			ids   []int64
			token int64
		)
		require.NoError(t, b.db.QueryRow(t.Context(), `SELECT array_agg(id), min(token)
			FROM jobs WHERE state = 'running'`).Scan(&ids, &token))
		require.Len(t, ids, jobs)
		finishes = b.wal(finishes, queue.Finishes(ids, token)["completed"])
		require.Zero(t, value[int](b, `SELECT count(*) FROM jobs`))
		if len(claims) >= enough && len(finishes) >= enough {
			break
		}
	}
	require.NotEmpty(t, claims, "a checkpoint came in each round")
	require.NotEmpty(t, finishes, "a checkpoint came in each round")
	claim, finish := slices.Min(claims)/jobs, slices.Min(finishes)/jobs
	require.Positive(t, claim)
	require.Positive(t, finish)
	require.LessOrEqual(t, claim+finish, walPerJob, "%d to claim and %d to finish", claim, finish)
}

// wal runs s in a batch of the loop's and appends to counts how many bytes of WAL it
// wrote. It appends nothing if whole pages went there, as after a checkpoint: each test
// that drops its database makes one.
func (b *bench) wal(counts []int, s queue.Statement) []int {
	b.t.Helper()
	tx := b.begin(pgx.TxOptions{})
	p := explain(b.t, tx, ", ANALYZE, WAL", s)
	require.NoError(b.t, tx.Commit(b.t.Context()))
	if p.Images > 0 {
		return counts
	}
	return append(counts, p.WAL)
}

// A meter counts the round trips and the statements of each connection.
type meter struct {
	mu    sync.Mutex
	conns map[*pgx.Conn]*traffic
}

type traffic struct {
	trips, statements int
	loop              bool // a worker's loop has it
}

func (m *meter) add(conn *pgx.Conn, statements int, loop bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.conns[conn]
	if c == nil {
		c = &traffic{}
		m.conns[conn] = c
	}
	c.trips++
	c.statements += statements
	c.loop = c.loop || loop
}

// of returns what went over a connection so far.
func (m *meter) of(conn *pgx.Conn) traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.conns[conn]
}

// loops returns what went over the connections of workers' loops so far.
func (m *meter) loops() (all traffic) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		if c.loop {
			all.trips += c.trips
			all.statements += c.statements
		}
	}
	return all
}

func (m *meter) TraceQueryStart(
	ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData,
) context.Context {
	m.add(conn, 1, false)
	return ctx
}

func (m *meter) TracePrepareStart(
	ctx context.Context, conn *pgx.Conn, _ pgx.TracePrepareStartData,
) context.Context {
	m.add(conn, 0, false)
	return ctx
}

func (m *meter) TraceBatchStart(
	ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData,
) context.Context {
	queued := data.Batch.QueuedQueries
	m.add(conn, len(queued), slices.ContainsFunc(queued, func(q *pgx.QueuedQuery) bool {
		return q.SQL == queue.Settings().SQL
	}))
	return ctx
}

func (*meter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (*meter) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}
func (*meter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*meter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// metered has b use a pool of so many connections that m counts.
func (b *bench) metered(conns int32) *meter {
	b.t.Helper()
	m := &meter{conns: make(map[*pgx.Conn]*traffic)}
	config := b.db.Config()
	config.MaxConns = conns
	config.ConnConfig.Tracer = m
	// A connection that rested for a second is pinged, which is a round trip.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	db, err := pgxpool.NewWithConfig(b.t.Context(), config)
	require.NoError(b.t, err)
	b.t.Cleanup(db.Close)
	b.db, b.w.DB = db, db
	return m
}

func TestDrainTakesFewRoundTrips(t *testing.T) {
	b := setup(t)
	const jobs = 20_000
	b.batch(b.db, notes(jobs)...)
	m := b.metered(10)
	done := make(chan traffic, 1)
	var mu sync.Mutex
	ran := 0
	b.failWith(func(*queue.Job[Note]) error {
		mu.Lock()
		defer mu.Unlock()
		if ran++; ran == jobs {
			done <- m.loops()
		}
		return nil
	})
	b.run()
	all := receive(t, done)
	t.Logf("%d round trips and %d statements", all.trips, all.statements)
	require.NoError(t, b.stopped())
	// Whole batches need a sixth of that, which a machine that has other work does not reach.
	require.LessOrEqual(t, all.trips, 5*jobs/1000)
	require.LessOrEqual(t, all.statements, 25*jobs/1000)
}

func TestInsertThroughAPoolIsOneRoundTrip(t *testing.T) {
	b := setup(t)
	m := b.metered(1)
	var conn *pgx.Conn
	require.NoError(t, b.db.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
		conn = c.Conn()
		return nil
	}))
	b.insert(Note{}) // prepares the statement
	before := m.of(conn)
	b.insert(Note{})
	after := m.of(conn)
	require.Equal(t, 1, after.trips-before.trips)
	require.Equal(t, 1, after.statements-before.statements)
}

func TestTxHandlerTakesTwoRoundTripsOfItsOwn(t *testing.T) {
	b := setup(t)
	m := b.metered(1)
	b.w.Queues[0].Slots = 1
	const jobs = 5
	seen := make(chan traffic, jobs)
	queue.HandleTx(b.w, txFunc(func(_ context.Context, tx pgx.Tx, _ *queue.Job[Note]) error {
		seen <- m.of(tx.Conn())
		return nil
	}))
	b.batch(b.db, notes(jobs)...)
	b.run()
	receive(t, seen)
	before := receive(t, seen) // what the first one had to prepare is prepared
	for range jobs - 2 {
		now := receive(t, seen)
		require.Equal(t, 2, now.trips-before.trips, "BEGIN; the settings, the finish and COMMIT")
		require.Equal(t, 4, now.statements-before.statements)
		before = now
	}
	require.NoError(t, b.stopped())
}
