// Here: a whole comparison: who takes part, and in which order.

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Options say what is compared.
type Options struct {
	Only      []string      `json:"only"`
	Workloads []string      `json:"workloads"`
	Jobs      int           `json:"jobs"`
	Runs      int           `json:"runs"`
	Least     time.Duration `json:"least_ns"`  // of a drain, unless Jobs is reached before
	Steady    time.Duration `json:"steady_ns"` // of a steady run
	Database  string        `json:"-"`         // the URL of a server
}

// A Skipped is a peer that was left out.
type Skipped struct {
	System string `json:"system"`
	Reason string `json:"reason"`
}

// A comparison has what was found so far.
type comparison struct {
	options Options
	stores  *stores
	benches []*bench
	limit   *limit // nil if it is left out
	abouts  map[string]About
	runs    []Run
	skipped []Skipped
}

// compare measures everybody by turns: round after round, each once a round.
func (c *comparison) compare(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, c.close()) }()
	for _, key := range c.options.Only {
		if err := c.admit(ctx, key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for round := 1; round <= c.options.Runs; round++ {
		for _, b := range c.benches {
			if err := c.turn(ctx, b, round); err != nil {
				return err
			}
		}
		if err := c.limitTurn(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// admit opens a peer and warms it up, or notes why it is left out.
func (c *comparison) admit(ctx context.Context, key string) error {
	if key == "limit" {
		l := &limit{}
		about, err := l.open(ctx, c.stores)
		if err != nil {
			return err
		}
		c.limit, c.abouts[key] = l, about
		return nil
	}
	b := &bench{key: key, peer: peerOf(key), jobs: c.options.Jobs}
	err := c.prepare(ctx, b)
	if err == nil || ctx.Err() != nil || key == "rowlock" {
		return err
	}
	// One rival that does not work here must not hide the others.
	c.skipped = append(c.skipped, Skipped{key, err.Error()})
	c.stores.say("skipped: %s: %v", key, err)
	return nil
}

// prepare opens a peer and warms it up. One that fails is closed.
func (c *comparison) prepare(ctx context.Context, b *bench) (err error) {
	if b.about, err = b.peer.open(ctx, c.stores); err != nil {
		return err
	}
	if b.about.Store == "Postgres" {
		b.postgres = c.stores.postgres
	}
	err = b.warm(ctx, c.options.Jobs, c.options.Least)
	if err == nil && c.wants(steady) {
		const part = 5 // of a steady run, to try one feed
		err = b.chooseFeed(ctx, c.options.Steady/part)
	}
	if err != nil {
		return errors.Join(err, b.peer.close())
	}
	c.benches = append(c.benches, b)
	c.abouts[b.key] = b.about
	c.stores.say("%s %s: %s; runs of %s jobs", b.about.Name, b.about.Version, b.about.Settings,
		thousands(float64(b.jobs)))
	return nil
}

// wants tells whether a workload is measured.
func (c *comparison) wants(workload string) bool {
	return slices.Contains(c.options.Workloads, workload)
}

// turn runs the workloads of one peer in one round, and leaves an empty store behind.
func (c *comparison) turn(ctx context.Context, b *bench, round int) error {
	if c.wants(insert) || c.wants(drain) {
		r, err := b.fill(ctx, b.jobs)
		if err != nil {
			return err
		}
		if c.wants(insert) {
			c.note(b.about, r, round)
		}
	}
	if c.wants(drain) {
		r, err := b.drain(ctx, b.jobs, b.about.Chosen)
		if err != nil {
			return err
		}
		c.note(b.about, r, round)
	}
	if c.wants(steady) {
		r, err := b.steady(ctx, c.options.Steady, b.about.Feed)
		if err != nil {
			return err
		}
		c.note(b.about, r, round)
	}
	return b.peer.empty(ctx)
}

// limitTurn measures plain SQL, if that takes part.
func (c *comparison) limitTurn(ctx context.Context, round int) error {
	if c.limit == nil {
		return nil
	}
	for _, workload := range c.options.Workloads {
		measure := c.limit.insert
		switch workload {
		case drain:
			measure = c.limit.drain
		case steady:
			continue // there is none
		}
		r, err := measure(ctx, c.options.Jobs)
		if err != nil {
			return err
		}
		c.note(c.abouts["limit"], r, round)
	}
	return nil
}

func (c *comparison) note(a About, r Run, round int) {
	r.Round = round
	c.runs = append(c.runs, r)
	c.stores.say("round %d of %d: %s: %s: %s jobs/s (%s jobs in %.1f s)", round, c.options.Runs,
		a.Name, r.Workload, thousands(r.Speed), thousands(float64(r.Jobs)), r.Seconds)
}

// close closes all peers. A peer that has not been opened is not among them.
func (c *comparison) close() (err error) {
	for _, b := range c.benches {
		err = errors.Join(err, b.peer.close())
	}
	if c.limit != nil {
		err = errors.Join(err, c.limit.close())
	}
	return err
}
