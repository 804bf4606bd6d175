// Here: jobs are stored and worked at the same time.

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Feed is how the jobs of a steady run come.
type Feed struct {
	Producers int `json:"producers"` // that insert at the same time
	Chunk     int `json:"chunk"`     // how many jobs each inserts at once
}

// String is f for people.
func (f Feed) String() string {
	s := "1 producer"
	if f.Producers > 1 {
		s = fmt.Sprintf("%d producers", f.Producers)
	}
	return s + " of " + thousands(float64(f.Chunk)) + " jobs a call"
}

// feeds are what a peer is tried with, so that none is bound by how it is fed.
func feeds() []Feed {
	return []Feed{
		{1, 1000},
		{2, 1000},
		{mostProducers, 1000},
		{1, 5000},
		{2, 5000},
		{mostProducers, 5000},
	}
}

const mostProducers = 4

// The bounds of what may wait in a steady run.
const leastBacklog, mostBacklog = 2000, 20_000

// chooseFeed tries the feeds that fit into the backlog, and keeps the best.
func (b *bench) chooseFeed(ctx context.Context, d time.Duration) error {
	best := 0.0
	for _, f := range feeds() {
		if f.Producers*f.Chunk > b.backlog {
			continue
		}
		r, err := b.steady(ctx, d, f)
		if err != nil {
			return err
		}
		if r.Speed > best {
			best, b.about.Feed = r.Speed, f
		}
	}
	return nil
}

// steady has jobs inserted for so long while a worker works, and never lets more than
// the backlog wait. It ends when all that was inserted is finished.
func (b *bench) steady(ctx context.Context, d time.Duration, f Feed) (r Run, err error) {
	r = Run{Workload: steady}
	if err := b.peer.empty(ctx); err != nil {
		return r, err
	}
	c, err := b.peer.hire(ctx, b.about.Chosen)
	if err != nil {
		return r, fmt.Errorf("%s: %w", b.about.Name, err)
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	err = b.timed(ctx, &r, func() (time.Time, error) {
		if err := c.start(ctx); err != nil {
			return time.Time{}, err
		}
		if r.Jobs, err = b.feed(ctx, c, d, f); err != nil {
			return time.Time{}, err
		}
		r.Backlog = r.Jobs - c.ran()
		return b.await(ctx, c, r.Jobs)
	})
	return r, err
}

// feed has the producers of f insert for so long, and returns how many jobs they did.
func (b *bench) feed(ctx context.Context, c crew, d time.Duration, f Feed) (int, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var (
		all  sync.WaitGroup
		sent atomic.Int64
		end  = time.Now().Add(d)
	)
	for range f.Producers {
		all.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) {
				if err := b.produce(ctx, c, &sent, f.Chunk); err != nil {
					fail(err) // what the others say then is not heard
				}
			}
		})
	}
	all.Wait()
	return int(sent.Load()), context.Cause(ctx)
}

// produce inserts a chunk, or waits a moment if there is no room for it.
func (b *bench) produce(ctx context.Context, c crew, sent *atomic.Int64, chunk int) error {
	const pause = time.Millisecond
	if err := c.check(); err != nil {
		return err
	}
	if int(sent.Add(int64(chunk)))-c.ran() > b.backlog {
		sent.Add(-int64(chunk))
		return wait(ctx, pause)
	}
	return b.peer.insert(ctx, chunk)
}
