package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A pretender is a peer, and its crew, that only counts.
type pretender struct {
	peer
	crew
	inserted, most, working atomic.Int64
	fails                   error
}

func (p *pretender) insert(_ context.Context, jobs int) error {
	p.inserted.Add(int64(jobs))
	p.most.Store(max(p.most.Load(), p.inserted.Load()-p.working.Load()))
	return p.fails
}

func (p *pretender) ran() int     { return int(p.working.Load()) }
func (p *pretender) check() error { return nil }

func TestAFeedKeepsToItsBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle, p := &pretender{}, &pretender{}
		jobs, err := (&bench{peer: idle, backlog: 5000}).feed(t.Context(), idle, time.Second, Feed{4, 1000})
		require.NoError(t, err)
		require.Equal(t, 5000, jobs, "nobody works: the backlog is full")

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			for wait(ctx, time.Millisecond) == nil {
				p.working.Store(p.inserted.Load())
			}
		}()
		more, err := (&bench{peer: p, backlog: 5000}).feed(ctx, p, time.Second, Feed{4, 1000})
		require.NoError(t, err)
		require.Greater(t, more, jobs)
		require.LessOrEqual(t, p.most.Load(), int64(5000))
	})
}

func TestAFeedEndsWithTheFirstError(t *testing.T) {
	p := &pretender{fails: errors.New("disk full")}
	b := &bench{peer: p, backlog: 5000}
	_, err := b.feed(t.Context(), p, time.Hour, Feed{4, 1000})
	require.EqualError(t, err, "disk full")
}
