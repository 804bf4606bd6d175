// Here: what Health knows.

package queue

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// silence is how long the loop may not turn before it counts as stuck: longer than
// any of its calls and pauses may take.
const silence = time.Minute

// A pulse is written by the loop and read by Health. It goes by this process'
// clock, since it tells of this process alone.
type pulse struct {
	mu      sync.Mutex
	turn    time.Time // when the loop last turned
	state   pulseState
	failure bool // since the last claim
}

type pulseState int

const (
	notStarted pulseState = iota
	claiming
	stopping
)

func (p *pulse) turned() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn = time.Now()
}

func (p *pulse) claimed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = false
	if p.state == notStarted {
		p.state = claiming
	}
}

func (p *pulse) failed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = true
	p.turn = time.Now()
}

func (p *pulse) stopped() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = stopping
}

func (p *pulse) health() (live, ready error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.turn.IsZero() {
		if d := time.Since(p.turn); d > silence {
			live = fmt.Errorf("queue: the loop has not turned for %v", d.Round(time.Second))
		}
	}
	switch {
	case p.state == stopping:
		ready = errors.New("queue: worker is stopping")
	case p.state == notStarted:
		ready = errors.New("queue: worker has not claimed yet")
	case p.failure:
		ready = errors.New("queue: the database is away")
	default:
		ready = live
	}
	return live, ready
}
