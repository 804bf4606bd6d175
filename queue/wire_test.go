package queue_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// A countedConn counts what is sent: pgx writes once for each round trip.
type countedConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(p)
}

// countedConnection returns a connection to b's database and its counter.
func (b *bench) countedConnection() (*pgx.Conn, *atomic.Int64) {
	b.t.Helper()
	sent := &atomic.Int64{}
	config, err := pgx.ParseConfig(pgtest.URL(b.db))
	require.NoError(b.t, err)
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return countedConn{conn, sent}, err
	}
	conn, err := pgx.ConnectConfig(b.t.Context(), config)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn, sent
}

func TestInsertIsOneRoundTrip(t *testing.T) {
	b := setup(t)
	conn, sent := b.countedConnection()
	keyed := queue.With{Args: Note{}, Unique: "k"}
	trips := func(db queue.DB, args queue.Args) (int64, queue.Outcome) {
		before := sent.Load()
		made, err := b.q.Insert(t.Context(), db, args)
		require.NoError(t, err)
		return sent.Load() - before, made.Outcome
	}
	// The first of each has to prepare its statement.
	for _, args := range []queue.Args{Note{}, keyed, keyed} {
		first, _ := trips(conn, args)
		require.Greater(t, first, int64(1), "the counter counts")
	}
	n, _ := trips(conn, Note{})
	require.EqualValues(t, 1, n)
	n, outcome := trips(conn, queue.With{Args: Note{}, Unique: "free"})
	require.Equal(t, queue.Inserted, outcome)
	require.EqualValues(t, 1, n)
	n, outcome = trips(conn, keyed)
	require.Equal(t, queue.Existing, outcome)
	require.EqualValues(t, 2, n)

	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	n, _ = trips(tx, Note{})
	require.EqualValues(t, 1, n, "in a transaction")
	require.NoError(t, tx.Commit(t.Context()))
}

func TestBatchIsAFewRoundTrips(t *testing.T) {
	b := setup(t)
	conn, sent := b.countedConnection()
	batch := func(n int) {
		made, err := b.q.InsertBatch(t.Context(), conn, queue.Each(make([]Note, n)))
		require.NoError(t, err)
		require.Len(t, made, n)
	}
	batch(1) // prepares the statement
	before := sent.Load()
	batch(999)
	// BEGIN, the statement, COMMIT; pgx may send a long one in parts.
	require.LessOrEqual(t, sent.Load()-before, int64(10))

	batch(1000) // prepares what goes by COPY
	before = sent.Load()
	batch(5000)
	// BEGIN, the ids, the rows in messages of 64 KiB, COMMIT.
	require.LessOrEqual(t, sent.Load()-before, int64(30))
}
