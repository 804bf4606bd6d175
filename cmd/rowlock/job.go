// Here: a job, for programs and for people.

package main

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/rowlock/rowlock/queue"
)

// A job is a row as --json prints it. What is empty is left out.
type job struct {
	ID          int64           `json:"id"`
	Kind        string          `json:"kind"`
	Queue       string          `json:"queue"`
	State       queue.State     `json:"state"`
	Priority    int             `json:"priority"`
	Args        json.RawMessage `json:"args"`
	UniqueKey   string          `json:"unique_key,omitempty"`
	Attempt     int             `json:"attempt"`
	MaxAttempts int             `json:"max_attempts"`
	LostCount   int             `json:"lost_count"`
	RunAt       time.Time       `json:"run_at"`
	CreatedAt   time.Time       `json:"created_at"`
	ClaimedAt   time.Time       `json:"claimed_at,omitzero"`
	FinishedAt  time.Time       `json:"finished_at,omitzero"`
	Worker      string          `json:"worker,omitempty"`
}

func newJob(r *queue.JobRow) job {
	return job{
		ID: r.ID, Kind: r.Kind, Queue: r.Queue, State: r.State, Priority: r.Priority,
		Args: readable(r.Args), UniqueKey: r.Unique, Attempt: r.Attempt,
		MaxAttempts: r.MaxAttempts, LostCount: r.Lost, RunAt: r.RunAt.UTC(),
		CreatedAt: r.CreatedAt.UTC(), ClaimedAt: r.ClaimedAt.UTC(),
		FinishedAt: r.FinishedAt.UTC(), Worker: r.Worker,
	}
}

// readable returns args, or as a string what SQL has stored but is nested too deep for
// programs to read.
func readable(args json.RawMessage) json.RawMessage {
	if !json.Valid(args) {
		args, _ = json.Marshal(string(args)) // a string always can be
	}
	return args
}

// compact is args in one line, without spaces that mean nothing.
func compact(args json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, args); err != nil {
		return string(args) // nested too deep
	}
	return b.String()
}

// when says since when or until when a job stands as it does.
func when(r *queue.JobRow, now time.Time) string {
	switch r.State {
	case queue.StateQueued:
		if r.RunAt.After(now) {
			return relative(r.RunAt, now)
		}
		return "due " + span(now.Sub(r.RunAt))
	case queue.StateRunning:
		return "for " + span(now.Sub(r.ClaimedAt))
	}
	return relative(r.FinishedAt, now)
}
