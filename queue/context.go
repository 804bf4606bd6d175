// Here: the context of an attempt.

package queue

import (
	"context"
	"sync"
	"time"
)

// An attemptContext is what a handler is given. A quick handler seldom asks it
// anything, so the cancel and timeout contexts that it stands for, with their timer,
// are made when they are first asked for.
type attemptContext struct {
	base     context.Context
	deadline time.Time

	mu    sync.Mutex
	made  *madeContext // nil until it is asked for
	cause error        // why it ended before it was made
}

type madeContext struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc
}

// begin has c carry the values of base, and end when limit has passed. One that was
// ended before is over from the beginning.
func (c *attemptContext) begin(base context.Context, limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.deadline = base, time.Now().Add(limit)
}

// context returns what c stands for.
func (c *attemptContext) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		ctx, cancel := context.WithCancelCause(c.base)
		ctx, stop := context.WithDeadlineCause(ctx, c.deadline, ErrTimeout)
		c.made = &madeContext{ctx, cancel, stop}
		if c.cause != nil {
			cancel(c.cause)
		}
	}
	return c.made.ctx
}

// end ends c with a cause, the first of which counts. Without one it frees what c
// holds.
func (c *attemptContext) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		if c.cause == nil {
			c.cause = cause
		}
		return
	}
	c.made.cancel(cause)
	if cause == nil {
		c.made.stop()
	}
}

// ended returns why c has ended, or nil if it has not.
func (c *attemptContext) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.made != nil:
		return context.Cause(c.made.ctx)
	case c.cause == nil && c.base != nil && !time.Now().Before(c.deadline):
		return ErrTimeout
	}
	return c.cause
}

// Deadline, Done, Err and Value make c a context.

func (c *attemptContext) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *attemptContext) Done() <-chan struct{} { return c.context().Done() }

func (c *attemptContext) Err() error { return c.context().Err() }

func (c *attemptContext) Value(key any) any { return c.context().Value(key) }
