// Here: what was measured, as the page needs it.

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ours "github.com/rowlock/rowlock/internal/bench"
)

// A data is all that is kept. What was not measured is empty.
type data struct {
	machine machine
	facts   facts // of the last command of rowlock
	takes   map[string][]take

	peers                          []comparison
	drain                          []ours.DrainResult
	steady                         []ours.SteadyResult
	insert                         []ours.InsertResult
	latency, polling, stream, late []ours.LatencyResult
	xmin, held                     []ours.XminResult
	burst                          []ours.BurstResult
	backlog                        []ours.BacklogResult
	scale                          []ours.ScaleResult
	pool                           []ours.PoolResult
	tx                             []ours.TxResult
	idle                           []ours.IdleResult
}

// facts are what each command of rowlock tells beside its figures.
type facts struct {
	Postgres string            `json:"postgres"`
	Settings map[string]string `json:"settings"`
	Go       string            `json:"go"`
}

// A comparison is what the page needs of a comparison's report.
type comparison struct {
	Node            string `json:"node"`
	Redis           string `json:"redis"`
	RedisDurability string `json:"redis_durability"`
	Systems         map[string]struct {
		Name     string `json:"name"`
		Version  string `json:"version"`
		Store    string `json:"store"`
		Settings string `json:"settings"`
		Source   string `json:"source"`
		Insert   string `json:"insert"`
		History  string `json:"history"`
		Feed     struct {
			Producers int `json:"producers"`
			Chunk     int `json:"chunk"`
		} `json:"feed"`
	} `json:"systems"`
	Skipped []struct {
		System string `json:"system"`
		Reason string `json:"reason"`
	} `json:"skipped"`
	Sums []sum `json:"sums"`
}

// A sum is what the runs of a system and a workload come to.
type sum struct {
	System   string  `json:"system"`
	Workload string  `json:"workload"`
	Runs     int     `json:"runs"`
	Jobs     int     `json:"jobs"`
	Speed    float64 `json:"jobs_per_second"`
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	WAL      float64 `json:"wal_bytes_per_job"`
	Ratio    float64 `json:"rowlock_ratio"`
}

// load reads the raw data of a folder.
func load(dir string) (*data, error) {
	d := &data{takes: map[string][]take{}}
	content, err := os.ReadFile(filepath.Join(dir, machineFile))
	if err == nil {
		err = json.Unmarshal(content, &d.machine)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	for name, into := range map[string]any{
		"peers": &d.peers, "drain": &d.drain, "steady": &d.steady, "insert": &d.insert,
		"latency": &d.latency, "polling": &d.polling, "stream": &d.stream, "late": &d.late,
		"xmin": &d.xmin, "held": &d.held, "burst": &d.burst, "backlog": &d.backlog,
		"scale": &d.scale, "pool": &d.pool, "tx": &d.tx, "idle": &d.idle,
	} {
		takes, err := read(dir, name)
		if err != nil {
			return nil, err
		}
		if err := decode(takes, into); err != nil {
			return nil, fmt.Errorf("%s: %w", fileOf(dir, name), err)
		}
		d.takes[name] = takes
	}
	return d, d.loadFacts()
}

// loadFacts takes them from the latest of all commands of rowlock.
func (d *data) loadFacts() error {
	var last take
	for name, takes := range d.takes {
		for _, t := range takes {
			if name != "peers" && t.Began > last.Began {
				last = t
			}
		}
	}
	if last.Result == nil {
		return nil
	}
	return json.Unmarshal(last.Result, &d.facts)
}

// commits are those of rowlock that were measured.
func (d *data) commits() []string {
	var all []string
	for _, takes := range d.takes {
		for _, t := range takes {
			all = append(all, cmp.Or(t.Commit, "unknown"))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// isTrial tells whether there are fewer runs than figures need that are quoted.
func (d *data) isTrial() bool {
	const enough = 5
	trial := len(d.steady) < enough || len(d.peers) == 0
	for _, c := range d.peers {
		for _, s := range c.Sums {
			trial = trial || s.Runs < enough
		}
	}
	return trial
}

// repeat tells how measurements were made, for somebody who wants to do so too.
func (d *data) repeat(names ...string) string {
	var told []string
	for _, name := range names {
		takes := d.takes[name]
		if len(takes) == 0 {
			continue
		}
		s := "`" + takes[0].Command + "`"
		if len(takes) > 1 {
			s += fmt.Sprintf(", %d times", len(takes))
		}
		told = append(told, s)
	}
	if told == nil {
		return "Not measured yet.\n"
	}
	day, _, _ := strings.Cut(d.takes[names[0]][0].Began, "T")
	return "To repeat it: " + strings.Join(told, "; ") + ". Measured on " + day + ".\n"
}
