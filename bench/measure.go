// Here: one run of a workload, the same for all peers.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The workloads.
const (
	insert = "insert" // jobs are stored in bulk, nobody works
	drain  = "drain"  // jobs are there, one worker process works them off
	steady = "steady" // jobs are stored and worked at the same time
)

// A Run is one measurement.
type Run struct {
	System   string  `json:"system"` // the peer's key
	Workload string  `json:"workload"`
	Round    int     `json:"round"`
	Jobs     int     `json:"jobs"`
	Seconds  float64 `json:"seconds"`
	Speed    float64 `json:"jobs_per_second"`
	WAL      float64 `json:"wal_bytes_per_job,omitempty"` // of Postgres
	// Backlog is how many jobs waited when a steady run inserted its last: near 0 means
	// that inserting was the slower side.
	Backlog int `json:"backlog,omitempty"`
}

// A bench measures one peer.
type bench struct {
	key      string
	peer     peer
	about    About
	postgres *postgres // nil for a peer on Redis
	jobs     int       // of a run
	backlog  int       // of a steady run, at most; about what a second takes
}

// timed runs f between two readings of the clock and of the server's log. A checkpoint
// goes before, but not between the insert of jobs and their drain: the first write of a
// page after one goes to the log whole, which only jobs that wait for long pay for.
func (b *bench) timed(ctx context.Context, r *Run, f func() (time.Time, error)) (err error) {
	var before float64
	if b.postgres != nil {
		if r.Workload != drain {
			if err := b.postgres.checkpoint(ctx); err != nil {
				return err
			}
		}
		if before, err = b.postgres.wal(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	ended, err := f()
	if err != nil {
		return fmt.Errorf("%s: %s: %w", b.about.Name, r.Workload, err)
	}
	if b.postgres != nil {
		after, err := b.postgres.wal(ctx)
		if err != nil {
			return err
		}
		r.WAL = rounded((after-before)/float64(r.Jobs), 1)
	}
	took := ended.Sub(began).Seconds()
	r.System, r.Seconds, r.Speed = b.key, rounded(took, 3), rounded(float64(r.Jobs)/took, 1)
	return nil
}

// fill empties the store and inserts so many jobs.
func (b *bench) fill(ctx context.Context, jobs int) (Run, error) {
	r := Run{Workload: insert, Jobs: jobs}
	if err := b.peer.empty(ctx); err != nil {
		return r, err
	}
	err := b.timed(ctx, &r, func() (time.Time, error) {
		err := b.peer.insert(ctx, jobs)
		return time.Now(), err
	})
	return r, err
}

// drain works off so many jobs that are there.
func (b *bench) drain(ctx context.Context, jobs, variant int) (r Run, err error) {
	r = Run{Workload: drain, Jobs: jobs}
	c, err := b.peer.hire(ctx, variant)
	if err != nil {
		return r, fmt.Errorf("%s: %w", b.about.Name, err)
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	err = b.timed(ctx, &r, func() (time.Time, error) {
		if err := c.start(ctx); err != nil {
			return time.Time{}, err
		}
		return b.await(ctx, c, jobs)
	})
	return r, err
}

// await returns when the store first said that all of so many jobs are finished. The
// store is left alone until the handlers have run that often.
func (b *bench) await(ctx context.Context, c crew, jobs int) (at time.Time, err error) {
	const glance, look = time.Millisecond, 2 * time.Millisecond
	watch := stall{}
	for c.ran() < jobs {
		if err := errors.Join(watch.see(c.ran()), c.check(), wait(ctx, glance)); err != nil {
			return at, fmt.Errorf("%d of %d jobs ran: %w", c.ran(), jobs, err)
		}
	}
	for {
		at = time.Now()
		left, err := b.peer.unfinished(ctx, jobs)
		if err != nil || left == 0 {
			return at, err
		}
		if err := errors.Join(watch.see(-left), c.check(), wait(ctx, look)); err != nil {
			return at, fmt.Errorf("%d of %d jobs are not finished: %w", left, jobs, err)
		}
	}
}

// A stall tells when a figure has not changed for long.
type stall struct {
	figure int
	since  time.Time
}

func (s *stall) see(figure int) error {
	const patience = 30 * time.Second
	if s.since.IsZero() || figure != s.figure {
		s.figure, s.since = figure, time.Now()
	}
	if time.Since(s.since) > patience {
		return fmt.Errorf("nothing has moved for %s", patience)
	}
	return nil
}

// warm makes everything warm, chooses the best variant, and then how many jobs a run
// has: as many as are asked for, or fewer if that takes longer than it must.
func (b *bench) warm(ctx context.Context, most int, least time.Duration) error {
	few := max(most/10, 1)
	variants := b.about.Variants
	if len(variants) == 0 {
		variants = []int{0}
	}
	best, chosen := 0.0, 0
	for _, variant := range variants {
		if _, err := b.fill(ctx, few); err != nil {
			return err
		}
		r, err := b.drain(ctx, few, variant)
		if err != nil {
			return err
		}
		if r.Speed > best {
			best, chosen = r.Speed, variant
		}
	}
	b.about.choose(chosen)
	b.jobs = enough(most, best*least.Seconds())
	b.backlog = min(max(int(best), leastBacklog), mostBacklog)
	return nil
}

// enough returns how many jobs keep a peer busy for long enough, by what a short run
// has shown: that much and half again, in thousands, but not more than asked for.
func enough(most int, busy float64) int {
	const unit, slack = 1000, 1.5
	needed := (int(busy*slack) + unit - 1) / unit * unit
	return min(most, max(needed, unit))
}

// wait waits, or returns why ctx ended.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
