// Here: what a queue has to be able to do in order to be compared.

package main

import (
	"context"
	"fmt"
	"strings"
)

// An About says what is compared, and how it is set up.
type About struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Store    string `json:"store"`    // "Postgres" or "Redis"
	Settings string `json:"settings"` // with %s for the variant until it is chosen
	Source   string `json:"source,omitempty"`
	Insert   string `json:"insert"`  // the bulk path
	History  string `json:"history"` // what is left of a job that has finished
	// Variants are values of the one setting that is tried: the best is kept.
	Variants []int `json:"variants,omitempty"`
	Chosen   int   `json:"chosen,omitempty"`
	Feed     Feed  `json:"feed,omitzero"` // of steady runs, the best of those that were tried
}

// choose writes the best variant into the settings.
func (a *About) choose(variant int) {
	if len(a.Variants) == 0 {
		return
	}
	tried := strings.Trim(strings.ReplaceAll(fmt.Sprint(a.Variants), " ", ", "), "[]")
	a.Chosen = variant
	a.Settings = fmt.Sprintf(a.Settings, fmt.Sprintf("%d (the best of %s)", variant, tried))
}

// A peer is a queue with a store of its own that is empty at first.
type peer interface {
	// open makes the store ready and returns what is compared. A [skipError] says
	// that this machine lacks something that it needs.
	open(ctx context.Context, s *stores) (About, error)

	// empty removes all jobs.
	empty(ctx context.Context) error

	// insert adds so many jobs by the fastest way that the peer documents. Several
	// may do so at the same time.
	insert(ctx context.Context, jobs int) error

	// hire makes a worker ready that has not started.
	hire(ctx context.Context, variant int) (crew, error)

	// unfinished returns how many of so many inserted jobs the store does not have
	// as finished, or some number above 0 if finding out more would cost much.
	unfinished(ctx context.Context, inserted int) (int, error)

	// close lets go of everything.
	close() error
}

// A crew is one worker process.
type crew interface {
	start(ctx context.Context) error
	ran() int     // how many jobs its handlers have run
	check() error // whether it is in trouble
	stop() error  // to be called once, started or not
}

// A skipError says why a peer is left out, and what would change that.
type skipError struct{ reason string }

func (e *skipError) Error() string { return e.reason }

// skip returns a [skipError].
func skip(format string, args ...any) error {
	return &skipError{fmt.Sprintf(format, args...)}
}

// keys are the names that --only takes, in their order.
var keys = []string{
	"rowlock", "limit", "river", "river-default", "graphile", "pgboss", "asynq", "sidekiq",
}

// peerOf returns the peer with a key, or nil for the limit, which is none.
func peerOf(key string) peer {
	switch key {
	case "rowlock":
		return &rowlock{}
	case "river":
		return &riverPeer{tuned: true}
	case "river-default":
		return &riverPeer{}
	case "graphile":
		return newGraphile()
	case "pgboss":
		return newPgboss()
	case "asynq":
		return &asynqPeer{}
	case "sidekiq":
		return &sidekiq{}
	}
	return nil
}
