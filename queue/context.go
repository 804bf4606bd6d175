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
	base  context.Context
	began time.Time
	limit time.Duration

	mu     sync.Mutex
	made   context.Context // nil until it is asked for
	cancel context.CancelCauseFunc
	stop   context.CancelFunc
	cause  error // why it ended before it was made
}

// begin has c carry the values of base, and end when limit has passed. One that was
// ended before is over from the beginning.
func (c *attemptContext) begin(base context.Context, limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.began, c.limit = base, time.Now(), limit
}

// context returns what c stands for.
func (c *attemptContext) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made, c.cancel = context.WithCancelCause(c.base)
		c.made, c.stop = context.WithDeadlineCause(c.made, c.deadline(), ErrTimeout)
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.made
}

func (c *attemptContext) deadline() time.Time { return c.began.Add(c.limit) }

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
	c.cancel(cause)
	if cause == nil {
		c.stop()
	}
}

// ended returns why c has ended, or nil if it has not.
func (c *attemptContext) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.made != nil:
		return context.Cause(c.made)
	case c.cause == nil && c.base != nil && !time.Now().Before(c.deadline()):
		return ErrTimeout
	}
	return c.cause
}

// Deadline, Done, Err and Value make c a context.

func (c *attemptContext) Deadline() (time.Time, bool) { return c.deadline(), true }

func (c *attemptContext) Done() <-chan struct{} { return c.context().Done() }

func (c *attemptContext) Err() error { return c.context().Err() }

func (c *attemptContext) Value(key any) any { return c.context().Value(key) }
