// Here: the comparison with other queues.

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// workloads are those of the comparison, in the order of the page.
var workloads = []string{"drain", "steady", "insert"}

// of returns the sums of a workload.
func (c comparison) of(workload string) (sums []sum) {
	for _, s := range c.Sums {
		if s.Workload == workload {
			sums = append(sums, s)
		}
	}
	return sums
}

// find returns the sum of a system and a workload.
func (c comparison) find(system, workload string) (sum, bool) {
	for _, s := range c.of(workload) {
		if s.System == system {
			return s, true
		}
	}
	return sum{}, false
}

func (d *data) besidePeers() string {
	var b strings.Builder
	for _, c := range d.peers {
		for _, workload := range workloads {
			rows := [][]string{{
				"**" + workload + "**", "jobs of a run", "jobs/s, median (min–max)", "runs",
				"WAL bytes/job", "rowlock is faster by",
			}}
			for _, s := range c.of(workload) {
				wal := "–"
				if s.WAL > 0 {
					wal = whole(s.WAL)
				}
				rows = append(rows, []string{
					c.Systems[s.System].Name, whole(float64(s.Jobs)),
					spread{s.Speed, s.Min, s.Max}.show(whole), strconv.Itoa(s.Runs), wal,
					"× " + two(s.Ratio),
				})
			}
			b.WriteString(table(rows...))
		}
	}
	return b.String()
}

func (d *data) peerSettings() string {
	var b strings.Builder
	for _, c := range d.peers {
		rows := [][]string{{
			"system", "version", "store", "settings", "inserts by", "keeps", "fed in steady runs by",
		}}
		for _, s := range c.of(workloads[0]) {
			a := c.Systems[s.System]
			settings := a.Settings
			if a.Source != "" {
				settings += " ([source](" + strings.Split(a.Source, ",")[0] + "))"
			}
			feed := "–"
			if a.Feed.Producers > 0 {
				feed = fmt.Sprintf("%d × %s jobs a call", a.Feed.Producers, whole(float64(a.Feed.Chunk)))
			}
			rows = append(rows, []string{a.Name, a.Version, a.Store, settings, a.Insert, a.History, feed})
		}
		b.WriteString(strings.ReplaceAll(table(rows...), "--:", "---"))
		for _, s := range c.Skipped {
			fmt.Fprintf(&b, "- %s was left out: %s\n", s.System, s.Reason)
		}
	}
	return b.String()
}

// slower names what is not slower than rowlock.
func (d *data) slower() string {
	var b strings.Builder
	for _, c := range d.peers {
		for _, workload := range workloads {
			for _, s := range c.of(workload) {
				if s.System != "rowlock" && s.Ratio > 0 && s.Ratio < 1 {
					fmt.Fprintf(&b, "- %s: %s does %s jobs/s, %s times what rowlock does.\n",
						workload, c.Systems[s.System].Name, whole(s.Speed), two(1/s.Ratio))
				}
			}
		}
	}
	if b.Len() == 0 {
		return "In none of the three workloads was anything measured that is faster.\n"
	}
	return b.String()
}
