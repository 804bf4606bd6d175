// Here: the table at the top, of what was aimed at and what was reached.

package main

import (
	"cmp"
	"math"

	ours "github.com/rowlock/rowlock/internal/bench"
)

// An aim is a figure that was to be reached.
type aim struct {
	what    string
	got     float64
	show    func(float64) string
	atLeast bool // else at most
	bound   float64
}

// short returns the aims for which there are figures.
func (d *data) short() string {
	rows := [][]string{{"what", "measured", "aim", "reached"}}
	for _, a := range d.aims() {
		if a.got == 0 {
			continue // not measured
		}
		sign, reached := "≤ ", a.got <= a.bound
		if a.atLeast {
			sign, reached = "≥ ", a.got >= a.bound
		}
		answer := "yes"
		if !reached {
			answer = "**no**"
		}
		rows = append(rows, []string{a.what, a.show(a.got), sign + a.show(a.bound), answer})
	}
	warning := ""
	if d.isTrial() {
		warning = "**These figures are of a trial with few runs, and not to be quoted.**\n\n"
	}
	return warning + table(rows...)
}

func (d *data) aims() (all []aim) {
	for _, c := range d.peers {
		times := func(system, workload string) float64 {
			s, _ := c.find(system, workload)
			return s.Ratio
		}
		all = append(all,
			aim{"drain, times as fast as River (tuned)", times("river", "drain"), two, true, 4.5},
			aim{"drain, times graphile-worker", times("graphile", "drain"), two, true, 4},
			aim{"drain, times asynq", times("asynq", "drain"), two, true, 8},
			aim{"drain, times Sidekiq", times("sidekiq", "drain"), two, true, 12},
			aim{"steady, times River (tuned)", times("river", "steady"), two, true, 3})
	}
	for _, r := range d.drain {
		all = append(all,
			aim{"drain, to what plain SQL does", r.Ratio, three, true, 0.8},
			aim{"WAL of a job: claim, finish and history, bytes", r.WAL, whole, false, 520},
			aim{"claims that are HOT updates, at least", r.Hot, three, true, 1})
	}
	for _, r := range d.insert {
		all = append(all,
			aim{"`InsertBatch`, to COPY", r.Many.Ratio, three, true, 0.7},
			aim{"`Insert` by itself, to an INSERT", r.Single.Ratio, three, true, 0.9})
	}
	return append(append(all, d.waits()...), d.loads()...)
}

// waits are the aims for how long jobs wait: medians of runs.
func (d *data) waits() []aim {
	p50 := func(r ours.LatencyResult) float64 { return r.P50 }
	p99 := func(r ours.LatencyResult) float64 { return r.P99 }
	p999 := func(r ours.LatencyResult) float64 { return r.P999 }
	late := func(r ours.LatencyResult) float64 { return r.LateCommitP99 }
	return []aim{
		{"commit to start, idle, p50 ms", over(d.latency, p50).mid, two, false, 2},
		{"commit to start, idle, p99 ms", over(d.latency, p99).mid, two, false, 6},
		{"commit to start, polling only, p99 ms", over(d.polling, p99).mid, two, false, 1000},
		{"commit to start, 5,000/s, p50 ms", over(d.stream, p50).mid, two, false, 5},
		{"commit to start, 5,000/s, p99 ms", over(d.stream, p99).mid, two, false, 25},
		{"the same beside long transactions, p99.9 ms", over(d.late, p999).mid, two, false, 50},
		{"commit of a long transaction to start, p99 ms", over(d.late, late).mid, two, false, 1000},
	}
}

// loads are the aims for bad times and full tables.
func (d *data) loads() (all []aim) {
	all = append(all,
		aim{"drain under a held snapshot, to without", over(d.xmin, func(r ours.XminResult) float64 {
			return r.JobsHeld / r.JobsFree
		}).mid, three, true, 0.9},
		aim{"5,000/s under a held snapshot, to without", over(d.held, func(r ours.XminResult) float64 {
			return r.JobsHeld / r.JobsFree
		}).mid, three, true, 0.9},
		aim{"its pick-up p99, times that without", over(d.held, func(r ours.XminResult) float64 {
			return r.PickupP99Held / r.PickupP99Free
		}).mid, two, false, 3},
		aim{"burst, longest batch on any table, ms", over(d.burst, longestBatch).mid, two, false, 50})
	for _, r := range d.backlog {
		worst := 0.0
		for _, s := range r.Scenarios {
			worst = max(worst, s.Ratio)
		}
		all = append(all, aim{"full tables, a job's time at worst, small = 1", worst, two, false, 1.3})
	}
	for _, r := range d.scale {
		least := math.Inf(1)
		for _, p := range r.Processes {
			least = min(least, cmp.Or(p.RatioToOne, 1))
		}
		all = append(all, aim{"more processes, total at worst, one = 1", least, two, true, 1})
	}
	for _, r := range d.pool {
		for _, s := range r.Slots {
			what := whole(float64(s.Slots)) + " slots of 1 ms, to goroutines alone"
			all = append(all, aim{what, s.Ratio, three, true, 0.9})
		}
	}
	for _, r := range d.tx {
		all = append(all, aim{"`HandleTx`, to plain transactions", r.Ratio, three, true, 0.7})
	}
	const mega = 1 << 20
	return append(all,
		aim{"idle, statements/s", over(d.idle, func(r ours.IdleResult) float64 {
			return r.Statements
		}).mid, two, false, 3},
		aim{"idle, CPU, % of a core", over(d.idle, func(r ours.IdleResult) float64 {
			return r.CPU
		}).mid, three, false, 0.5},
		aim{"idle, memory of the process, MB", over(d.idle, func(r ours.IdleResult) float64 {
			return float64(r.RSS) / mega
		}).mid, one, false, 40})
}

// longestBatch is that of all tables of a burst.
func longestBatch(r ours.BurstResult) (longest float64) {
	for _, t := range r.Tables {
		longest = max(longest, t.MaxBatch)
	}
	return longest
}
