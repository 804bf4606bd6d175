// Here: the parts of the page that are figures.

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// parts returns what stands between the markers of the page, by name.
func (d *data) parts() map[string]string {
	return map[string]string{
		"short":    d.short(),
		"machine":  d.aboutMachine(),
		"peers":    d.besidePeers() + d.repeat("peers"),
		"settings": d.peerSettings(),
		"slower":   d.slower(),
		"drain":    d.drains() + d.repeat("drain"),
		"steady":   d.steadies() + d.repeat("steady"),
		"insert":   d.inserts() + d.repeat("insert"),
		"latency":  d.latencies() + d.repeat("latency", "polling", "stream", "late"),
		"xmin":     d.xmins() + d.repeat("xmin", "held"),
		"burst":    d.bursts() + d.repeat("burst"),
		"backlog":  d.backlogs() + d.repeat("backlog"),
		"scale":    d.scales() + d.repeat("scale"),
		"pool":     d.pools() + d.repeat("pool"),
		"tx":       d.txs() + d.repeat("tx"),
		"idle":     d.idles() + d.repeat("idle"),
	}
}

func (d *data) aboutMachine() string {
	m := d.machine
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(d.facts.Settings)) {
		settings = append(settings, name+" = "+d.facts.Settings[name])
	}
	lines := []string{
		fmt.Sprintf("- **Machine**: %s, %d cores, %s of memory, %s.",
			m.CPU, m.Cores, m.Memory, m.System),
		fmt.Sprintf("- **Versions**: Postgres %s, %s, rowlock at commit %s.",
			d.facts.Postgres, d.facts.Go, strings.Join(d.commits(), ", ")),
		"- **Postgres's settings**: " + strings.Join(settings, ", ") + ".",
	}
	for _, c := range d.peers {
		lines = append(lines, fmt.Sprintf("- **For peers**: Redis %s (%s), Node %s.",
			c.Redis, c.RedisDurability, c.Node))
	}
	return strings.Join(lines, "\n")
}
