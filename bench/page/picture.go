// Here: pictures, as SVG that is read on light and on dark paper.

package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"

	ours "github.com/rowlock/rowlock/internal/bench"
)

// pictures returns the files of the page's pictures, by name. What was not measured has
// none.
func (d *data) pictures() map[string][]byte {
	all := map[string][]byte{}
	for _, c := range d.peers {
		for _, workload := range workloads {
			bars := []bar{}
			for _, s := range c.of(workload) {
				bars = append(bars, bar{
					c.Systems[s.System].Name, spread{s.Speed, s.Min, s.Max}, s.System == "rowlock",
				})
			}
			all["peers-"+workload+".svg"] = drawBars("jobs a second, "+workload, whole, bars)
		}
	}
	for _, r := range d.scale {
		bars := []bar{}
		for _, p := range r.Processes {
			label := fmt.Sprintf("%d processes", p.Processes)
			if p.Processes == 1 {
				label = "1 process"
			}
			bars = append(bars, bar{label, spreadOf(p.Runs), true})
		}
		all["scale.svg"] = drawBars("jobs a second of all processes", whole, bars)
	}
	for _, r := range d.backlog {
		bars := []bar{}
		for _, s := range r.Scenarios {
			bars = append(bars, bar{s.Scenario, spreadOf(s.Runs), s.Scenario != "small"})
		}
		all["backlog.svg"] = drawBars("jobs a second beside full tables", whole, bars)
	}
	if len(d.latency) > 0 && len(d.stream) > 0 {
		all["latency.svg"] = drawLatency(d.latency, d.stream)
	}
	if len(d.xmin) > 0 {
		all["xmin.svg"] = drawXmin(d.xmin)
	}
	return all
}

// A drawing is an SVG that grows.
type drawing struct{ bytes.Buffer }

const width = 720

// paper begins a drawing. Colours follow the reader's choice of light or dark.
func paper(title string, height int) *drawing {
	d := &drawing{}
	d.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" `+
		`font-family="system-ui, sans-serif" font-size="13">`, width, height)
	d.put(`<title>%s</title>`, html.EscapeString(title))
	d.put(`<style>`)
	d.put(`text { fill: #1f2328 } .ours { fill: #0969da } .other { fill: #8c959f }`)
	d.put(`.line { stroke: #1f2328; fill: none } .run { stroke: #0969da; fill: none }`)
	d.put(`.shade { fill: #8c959f; opacity: 0.2 }`)
	d.put(`@media (prefers-color-scheme: dark) {`)
	d.put(`text { fill: #e6edf3 } .ours { fill: #4493f8 } .other { fill: #767e88 }`)
	d.put(`.line { stroke: #e6edf3 } .run { stroke: #4493f8 } }`)
	d.put(`</style>`)
	d.text(0, 16, "start", title)
	return d
}

// put adds a line.
func (d *drawing) put(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) text(x, y float64, anchor, s string) {
	d.put(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(s))
}

func (d *drawing) rect(class string, x, y, w, h float64) {
	d.put(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, class, x, y, w, h)
}

// end returns the whole.
func (d *drawing) end() []byte {
	d.put(`</svg>`)
	return d.Bytes()
}

// A bar is a figure of one system.
type bar struct {
	label string
	spread
	ours bool
}

// drawBars draws a bar for each median, and a thin line from the least to the most.
func drawBars(title string, show func(float64) string, bars []bar) []byte {
	const left, row, top, thick = 130.0, 26.0, 28.0, 16.0
	const longest = width - left - 90 // room for the figure
	most := 0.0
	for _, b := range bars {
		most = max(most, b.max)
	}
	d := paper(title, int(top+row*float64(len(bars))+4))
	for i, b := range bars {
		y := top + row*float64(i)
		at := func(x float64) float64 { return left + x/most*longest }
		class := "other"
		if b.ours {
			class = "ours"
		}
		d.text(left-8, y+thick-3, "end", b.label)
		d.rect(class, left, y, at(b.mid)-left, thick)
		d.put(`<path class="line" d="M%.1f %.1fH%.1f"/>`, at(b.min), y+thick/2, at(b.max))
		d.text(at(max(b.max, b.mid))+6, y+thick-3, "start", show(b.mid))
	}
	return d.end()
}

// drawLatency draws how many of the jobs started within which time, when they come one
// at a time and in a stream. The runs of each are added up.
func drawLatency(idle, stream []ours.LatencyResult) []byte {
	const left, top, high, foot = 40.0, 30.0, 180.0, 40.0
	kinds := []map[float64]float64{shares(idle), shares(stream)}
	first, last := math.Inf(1), 0.0
	for _, kind := range kinds {
		for upTo := range kind {
			first, last = min(first, upTo), max(last, upTo)
		}
	}
	steps := int(math.Log2(last/first)) + 1
	step := (width - left) / float64(steps)
	d := paper("from COMMIT to the start of the handler: % of the jobs, by ms; "+
		"blue one at a time, grey 5,000 a second", int(top+high+foot))
	for i := range steps {
		upTo := first * math.Exp2(float64(i))
		x := left + step*float64(i)
		for n, class := range []string{"ours", "other"} {
			h := kinds[n][upTo] / 100 * high
			d.rect(class, x+step*0.1+step*0.4*float64(n), top+high-h, step*0.4, h)
		}
		d.text(x+step/2, top+high+18, "middle", "≤ "+short(upTo))
	}
	for _, percent := range []float64{0, 50, 100} {
		d.text(left-6, top+high-percent/100*high+4, "end", short(percent))
	}
	return d.end()
}

// shares returns which part of the jobs is in which bucket, in percent.
func shares(results []ours.LatencyResult) map[float64]float64 {
	all, parts := 0.0, map[float64]float64{}
	for _, r := range results {
		for _, b := range r.Buckets {
			parts[b.UpTo] += float64(b.Jobs)
			all += float64(b.Jobs)
		}
	}
	for upTo := range parts {
		parts[upTo] *= 100 / all
	}
	return parts
}

// short prints a number with few digits, and without zeros at its end.
func short(x float64) string { return fmt.Sprintf("%.3g", x) }

// drawXmin draws how many jobs were finished in each second of each run, and shades
// those in which the transaction was open.
func drawXmin(runs []ours.XminResult) []byte {
	const left, top, high, foot = 60.0, 30.0, 180.0, 26.0
	most, seconds := 1, 1
	for _, r := range runs {
		seconds = max(seconds, len(r.Seconds))
		for _, s := range r.Seconds {
			most = max(most, s.Finished)
		}
	}
	x := func(second int) float64 { return left + float64(second)/float64(seconds)*(width-left-10) }
	y := func(jobs int) float64 { return top + high - float64(jobs)/float64(most)*high }
	d := paper("jobs finished in each second, a line for each run; grey: a transaction is open",
		int(top+high+foot))
	from, to := -1, 0
	for n, s := range runs[0].Seconds {
		if s.Phase == ours.PhaseHeld {
			if to = n + 1; from < 0 {
				from = n
			}
		}
	}
	d.rect("shade", x(from), top, x(to)-x(from), high)
	for _, r := range runs {
		var line strings.Builder
		for n, s := range r.Seconds {
			fmt.Fprintf(&line, "%c%.1f %.1f", "ML"[min(n, 1)], x(n)+(x(1)-x(0))/2, y(s.Finished))
		}
		d.put(`<path class="run" d="%s"/>`, line.String())
	}
	for _, jobs := range []int{0, most / 2, most} {
		d.text(left-6, y(jobs)+4, "end", whole(float64(jobs)))
	}
	for _, second := range []int{0, from, to, seconds} {
		d.text(x(second), top+high+18, "middle", fmt.Sprintf("%d s", second))
	}
	return d.end()
}
