package sandbox

import (
	"context"
	"net"
	"sync"
	"time"
)

// maxConnections is how many clients a server serves at once; more wait in the
// system's queue.
const maxConnections = 256

// connections are a listener and what it has accepted and is not yet closed.
type connections struct {
	net.Listener
	places  chan struct{} // one taken per connection
	stopped chan struct{} // closed when the listener is

	mu       sync.Mutex
	open     map[*connection]struct{}
	draining bool
	drained  chan struct{} // closed when draining and none is open
}

func newConnections(l net.Listener) *connections {
	return &connections{
		Listener: l,
		places:   make(chan struct{}, maxConnections),
		stopped:  make(chan struct{}),
		open:     make(map[*connection]struct{}),
		drained:  make(chan struct{}),
	}
}

// Accept waits for a place and for a client.
func (c *connections) Accept() (net.Conn, error) {
	select {
	case c.places <- struct{}{}:
	case <-c.stopped:
		return nil, net.ErrClosed
	}
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.places
		return nil, err
	}
	mine := &connection{Conn: conn, owner: c}
	c.mu.Lock()
	c.open[mine] = struct{}{}
	late := c.draining
	c.mu.Unlock()
	if late {
		mine.Close()
		return nil, net.ErrClosed
	}
	return mine, nil
}

// Close stops listening.
func (c *connections) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.stopped:
		return nil
	default:
		close(c.stopped)
	}
	return c.Listener.Close()
}

// drain stops listening, lets busy connections come to their end while ctx
// lasts, and returns when all are closed.
func (c *connections) drain(ctx context.Context) {
	_ = c.Close() // what it could tell matters no longer
	c.mu.Lock()
	c.draining = true
	for conn := range c.open {
		if !conn.busy {
			_ = conn.Conn.SetReadDeadline(time.Unix(1, 0))
		}
	}
	c.checkDrained()
	c.mu.Unlock()

	select {
	case <-c.drained:
		return
	case <-ctx.Done():
	}
	c.mu.Lock()
	for conn := range c.open {
		_ = conn.Conn.Close() // its server notices, and closes conn
	}
	c.mu.Unlock()
	<-c.drained
}

// checkDrained is called with mu held.
func (c *connections) checkDrained() {
	if !c.draining || len(c.open) > 0 {
		return
	}
	select {
	case <-c.drained:
	default:
		close(c.drained)
	}
}

// A connection is one client.
type connection struct {
	net.Conn
	owner *connections
	busy  bool // in the middle of something; guarded by owner.mu
}

// setBusy says whether the client is in the middle of something that draining
// should let it end.
func (c *connection) setBusy(busy bool) {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.busy = busy
}

// SetReadDeadline has no time left for an idle client while draining.
func (c *connection) SetReadDeadline(t time.Time) error {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	if c.owner.draining && !c.busy {
		t = time.Unix(1, 0)
	}
	return c.Conn.SetReadDeadline(t)
}

// Close closes the connection and frees its place. Once is enough, twice is fine.
func (c *connection) Close() error {
	err := c.Conn.Close()
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	if _, ok := c.owner.open[c]; ok {
		delete(c.owner.open, c)
		<-c.owner.places
		c.owner.checkDrained()
	}
	return err
}

// reset closes the connection so that the client gets a TCP reset.
func (c *connection) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the client sees a plain end
	}
	_ = c.Close()
}
