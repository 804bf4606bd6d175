// Here: what the commands of "rowlock bench" have found.

package main

import (
	"cmp"
	"fmt"
	"strconv"

	ours "github.com/rowlock/rowlock/internal/bench"
)

func (d *data) drains() string {
	rows := [][]string{{"what", "runs", "jobs/s, median (min–max)", "WAL bytes/job", "HOT updates"}}
	for _, r := range d.drain {
		for _, s := range r.Sums() {
			name := "one worker, default settings"
			if s.Loops > 0 {
				name = fmt.Sprintf("plain SQL, %d × %s jobs", s.Loops, whole(float64(s.Batch)))
			}
			rows = append(rows, []string{
				name, strconv.Itoa(s.Runs), spread{s.JobsPerSecond, s.Min, s.Max}.show(whole),
				whole(s.WAL), three(s.Hot),
			})
		}
	}
	return table(rows...)
}

func (d *data) steadies() string {
	if len(d.steady) == 0 {
		return ""
	}
	of := func(number func(float64) string, figure func(ours.SteadyResult) float64) string {
		return over(d.steady, figure).show(number)
	}
	return table(
		[]string{
			"runs", "jobs/s", "slowest second, jobs", "claim p50 ms", "claim p99 ms",
			"WAL bytes/job", "HOT updates",
		},
		[]string{
			strconv.Itoa(len(d.steady)),
			of(whole, func(r ours.SteadyResult) float64 { return r.JobsPerSecond }),
			of(whole, func(r ours.SteadyResult) float64 { return r.Min }),
			of(two, func(r ours.SteadyResult) float64 { return r.ClaimP50 }),
			of(two, func(r ours.SteadyResult) float64 { return r.ClaimP99 }),
			of(whole, func(r ours.SteadyResult) float64 { return r.WAL }),
			of(three, func(r ours.SteadyResult) float64 { return r.Hot }),
		},
	)
}

func (d *data) inserts() string {
	rows := [][]string{{"what", "runs", "rowlock, jobs/s", "plain SQL, jobs/s", "ratio"}}
	for _, r := range d.insert {
		for _, c := range []struct {
			name string
			ours.Comparison
		}{
			{"`Insert` beside an INSERT, each in a transaction of its own", r.Single},
			{"`Insert` beside an INSERT, as a transaction's third statement", r.InTx},
			{"`InsertBatch` of " + whole(float64(r.Batch)) + " beside a COPY", r.Many},
		} {
			rows = append(rows, []string{
				c.name, strconv.Itoa(len(c.Runs)), spreadOf(c.Runs).show(whole),
				spreadOf(c.PlainRuns).show(whole), three(c.Ratio),
			})
		}
	}
	return table(rows...)
}

func (d *data) latencies() string {
	rows := [][]string{{"jobs come", "runs", "p50 ms", "p99 ms", "p99.9 ms", "longest ms"}}
	for _, l := range []struct {
		name    string
		results []ours.LatencyResult
	}{
		{"one at a time, the worker sleeps", d.latency},
		{"20 a second, the worker only polls", d.polling},
		{"5,000 a second", d.stream},
		{"5,000 a second, beside long transactions", d.late},
	} {
		if len(l.results) == 0 {
			continue
		}
		of := func(figure func(ours.LatencyResult) float64) string {
			return over(l.results, figure).show(two)
		}
		rows = append(rows, []string{
			l.name, strconv.Itoa(len(l.results)),
			of(func(r ours.LatencyResult) float64 { return r.P50 }),
			of(func(r ours.LatencyResult) float64 { return r.P99 }),
			of(func(r ours.LatencyResult) float64 { return r.P999 }),
			of(func(r ours.LatencyResult) float64 { return r.Max }),
		})
		if l.results[0].LateCommits > 0 {
			rows = append(rows, []string{
				"by these transactions, from their COMMIT", strconv.Itoa(len(l.results)),
				of(func(r ours.LatencyResult) float64 { return r.LateCommitP50 }),
				of(func(r ours.LatencyResult) float64 { return r.LateCommitP99 }), "–",
				of(func(r ours.LatencyResult) float64 { return r.LateCommitMax }),
			})
		}
	}
	return table(rows...)
}

func (d *data) xmins() string {
	rows := [][]string{{"", "runs", "free", "held"}}
	add := func(what string, results []ours.XminResult, number func(float64) string,
		figures func(ours.XminResult) (free, held float64),
	) {
		if len(results) == 0 {
			return
		}
		free := over(results, func(r ours.XminResult) float64 { f, _ := figures(r); return f })
		held := over(results, func(r ours.XminResult) float64 { _, h := figures(r); return h })
		rows = append(rows, []string{
			what, strconv.Itoa(len(results)), free.show(number), held.show(number),
		})
	}
	speed := func(r ours.XminResult) (free, held float64) { return r.JobsFree, r.JobsHeld }
	add("drain, jobs/s", d.xmin, whole, speed)
	add("drain, claim p99 ms", d.xmin, two, func(r ours.XminResult) (free, held float64) {
		return r.ClaimP99Free, r.ClaimP99Held
	})
	add("5,000/s, jobs/s", d.held, whole, speed)
	add("5,000/s, pick-up p50 ms", d.held, two, func(r ours.XminResult) (free, held float64) {
		return r.PickupP50Free, r.PickupP50Held
	})
	add("5,000/s, pick-up p99 ms", d.held, two, func(r ours.XminResult) (free, held float64) {
		return r.PickupP99Free, r.PickupP99Held
	})
	if len(d.xmin) == 0 {
		return table(rows...)
	}
	dead := over(d.xmin, func(r ours.XminResult) float64 { return float64(r.DeadTuples) })
	recovery := over(d.xmin, func(r ours.XminResult) float64 { return r.Recovery })
	return table(rows...) + fmt.Sprintf("When a drain's transaction ended there were %s dead rows; "+
		"claims were as quick as before %s s later.\n\n", dead.show(whole), recovery.show(whole))
}

func (d *data) bursts() string {
	rows := [][]string{{"table", "runs", "longest batch, ms", "p99 ms", "p50 ms"}}
	if len(d.burst) == 0 {
		return ""
	}
	for i, t := range d.burst[0].Tables {
		of := func(figure func(ours.BurstTable) float64) string {
			return over(d.burst, func(r ours.BurstResult) float64 { return figure(r.Tables[i]) }).show(two)
		}
		rows = append(rows, []string{
			t.Table, strconv.Itoa(len(d.burst)),
			of(func(t ours.BurstTable) float64 { return t.MaxBatch }),
			of(func(t ours.BurstTable) float64 { return t.P99 }),
			of(func(t ours.BurstTable) float64 { return t.P50 }),
		})
	}
	return table(rows...)
}

func (d *data) backlogs() string {
	rows := [][]string{{
		"tables", "rows beside", "runs", "jobs/s, median (min–max)", "a job's time, small = 1",
		"buffers/job", "WAL bytes/job",
	}}
	for _, r := range d.backlog {
		for _, s := range r.Scenarios {
			rows = append(rows, []string{
				s.Scenario, whole(float64(s.Rows)), strconv.Itoa(len(s.Runs)),
				spreadOf(s.Runs).show(whole), two(cmp.Or(s.Ratio, 1)), one(s.Buffers), whole(s.WAL),
			})
		}
	}
	return table(rows...)
}

func (d *data) scales() string {
	rows := [][]string{{"processes", "runs", "jobs/s of all, median (min–max)", "to one process"}}
	for _, r := range d.scale {
		for _, p := range r.Processes {
			rows = append(rows, []string{
				strconv.Itoa(p.Processes), strconv.Itoa(len(p.Runs)), spreadOf(p.Runs).show(whole),
				two(p.RatioToOne),
			})
		}
	}
	return table(rows...)
}

func (d *data) pools() string {
	rows := [][]string{{"slots", "runs", "jobs/s", "goroutines alone, jobs/s", "ratio"}}
	for _, r := range d.pool {
		for _, s := range r.Slots {
			rows = append(rows, []string{
				strconv.Itoa(s.Slots), strconv.Itoa(len(s.Runs)), spreadOf(s.Runs).show(whole),
				spreadOf(s.PoolRuns).show(whole), three(s.Ratio),
			})
		}
	}
	return table(rows...)
}

func (d *data) txs() string {
	rows := [][]string{{"slots", "runs", "jobs/s", "plain transactions/s", "ratio"}}
	for _, r := range d.tx {
		rows = append(rows, []string{
			strconv.Itoa(r.Slots), strconv.Itoa(len(r.Runs)), spreadOf(r.Runs).show(whole),
			spreadOf(r.LimitRuns).show(whole), three(r.Ratio),
		})
	}
	return table(rows...)
}

func (d *data) idles() string {
	const mega = 1 << 20
	if len(d.idle) == 0 {
		return ""
	}
	return table(
		[]string{"runs", "statements/s", "CPU, % of one core", "memory, MB", "of it Go's heap, MB"},
		[]string{
			strconv.Itoa(len(d.idle)),
			over(d.idle, func(r ours.IdleResult) float64 { return r.Statements }).show(two),
			over(d.idle, func(r ours.IdleResult) float64 { return r.CPU }).show(three),
			over(d.idle, func(r ours.IdleResult) float64 { return float64(r.RSS) / mega }).show(one),
			over(d.idle, func(r ours.IdleResult) float64 { return float64(r.Heap) / mega }).show(one),
		},
	)
}
