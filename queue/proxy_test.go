package queue_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// A proxy stands between a worker and Postgres, to be cut at will.
type proxy struct {
	b        *bench
	listener net.Listener

	mu    sync.Mutex
	pairs []*pair
	deaf  bool // new connections are not served
	// cut, if set, is asked with each message of a client whether to cut its
	// connection: before it is forwarded, or once its reply has come and is withheld.
	// claims says that it is the connection on which jobs are claimed.
	cut func(message []byte, claims bool) cutting
}

type cutting int

const (
	keep cutting = iota
	cutBefore
	cutAfter
)

type pair struct {
	client, server net.Conn
	mu             sync.Mutex
	withhold       bool // replies are dropped
}

func newProxy(t *testing.T, b *bench) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{b: b, listener: listener}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.drop()
		serving.Wait()
	})
	return p
}

// pool returns a pool whose connections go through the proxy.
func (p *proxy) pool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	config := p.b.db.Config().Copy()
	config.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", p.listener.Addr().String())
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() { p.drop(); pool.Close() })
	return pool
}

func (p *proxy) serve(client net.Conn) {
	config := p.b.db.Config().ConnConfig
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	server, err := net.Dial(network, address)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &pair{client: client, server: server}
	p.mu.Lock()
	p.pairs = append(p.pairs, c)
	p.mu.Unlock()
	var copying sync.WaitGroup
	copying.Go(func() { p.forward(c) })
	copying.Go(func() { c.reply() })
	copying.Wait()
}

// forward sends what the client says to the server.
func (p *proxy) forward(c *pair) {
	defer c.close()
	buf := make([]byte, 1<<20)
	claims := false
	for {
		n, err := c.client.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		deaf, cut := p.deaf, p.cut
		p.mu.Unlock()
		if deaf {
			continue
		}
		claims = claims || bytes.Contains(buf[:n], []byte("-- queue.claim"))
		how := keep
		if cut != nil {
			how = cut(buf[:n], claims)
		}
		if how == cutBefore {
			return
		}
		if how == cutAfter {
			c.mu.Lock()
			c.withhold = true
			c.mu.Unlock()
		}
		if _, err := c.server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// reply sends what the server says to the client, or, from a withheld reply on,
// cuts both off once the server has spoken.
func (c *pair) reply() {
	defer c.close()
	buf := make([]byte, 1<<20)
	for {
		n, err := c.server.Read(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		withhold := c.withhold
		c.mu.Unlock()
		if withhold {
			return
		}
		if _, err := c.client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (c *pair) close() {
	_ = c.client.Close()
	_ = c.server.Close()
}

// cutOn has f decide about each message from now on; nil forwards all.
func (p *proxy) cutOn(f func(message []byte, claims bool) cutting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = f
}

// blackhole leaves all connections open and forwards nothing any more.
func (p *proxy) blackhole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

// drop cuts all connections.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.pairs {
		c.close()
	}
	p.pairs = nil
}
