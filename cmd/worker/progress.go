// Here: how far work is: bars on a terminal, lines elsewhere.

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/rowlock/rowlock/internal/cli"
)

// linePause is how often a line is written at most, where there are no bars.
const linePause = 2 * time.Second

// A progress tells a person how far work is. What is written to it appears above
// the bars.
type progress struct {
	mu     sync.Mutex
	w      io.Writer
	bars   *mpb.Progress // nil without a terminal
	meters []*meter
	told   time.Time
	last   string // the line told
}

// A meter is one count.
type meter struct {
	of         *progress
	name, unit string
	bar        *mpb.Bar
	n, total   int64
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, told: time.Now()}
	if cli.IsTerminal(w) {
		p.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(60))
	}
	return p
}

// meter adds a count of what unit says.
func (p *progress) meter(name, unit string) *meter {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := &meter{of: p, name: name, unit: unit}
	if p.bars != nil {
		m.bar = p.bars.AddBar(0,
			mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersNoUnit("%d / %d "+unit, decor.WCSyncSpace)))
	}
	p.meters = append(p.meters, m)
	return m
}

// set says that n of total are done; a total of 0 is not known.
func (m *meter) set(n, total int64) {
	p := m.of
	p.mu.Lock()
	defer p.mu.Unlock()
	m.n, m.total = n, total
	if m.bar != nil {
		m.bar.SetTotal(max(total, n), false)
		m.bar.SetCurrent(n)
		return
	}
	if time.Since(p.told) >= linePause {
		p.tell()
	}
}

// tell writes a line, unless the last one said the same.
func (p *progress) tell() {
	var parts []string
	for _, m := range p.meters {
		part := fmt.Sprintf("%s %d", m.name, m.n)
		if m.total > 0 {
			part += fmt.Sprintf(" of %d", m.total)
		}
		parts = append(parts, part+" "+m.unit)
	}
	p.told = time.Now()
	if line := strings.Join(parts, ", "); line != p.last && line != "" {
		fmt.Fprintln(p.w, line)
		p.last = line
	}
}

// done ends the count: its bar stays, and lines no longer name it.
func (m *meter) done() {
	p := m.of
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.bar == nil && time.Since(p.told) >= linePause {
		p.tell()
	}
	p.meters = slices.DeleteFunc(p.meters, func(other *meter) bool { return other == m })
	if m.bar != nil {
		m.bar.Abort(false)
	}
}

// Write writes whole lines.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars != nil {
		return p.bars.Write(b)
	}
	return p.w.Write(b)
}

// close leaves the bars as they stand. What is written later goes below them.
func (p *progress) close() {
	p.mu.Lock()
	bars := p.bars
	p.bars = nil
	for _, m := range p.meters {
		if m.bar != nil {
			m.bar.Abort(false)
		}
	}
	p.meters = nil
	p.mu.Unlock()
	if bars != nil {
		bars.Wait()
	}
}
