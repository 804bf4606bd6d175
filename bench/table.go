// Here: the table for people.

package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

var heading = []string{
	"system", "version", "store", "keeps", "workload",
	"jobs", "jobs/s", "(min–max)", "WAL B/job", "rowlock ×",
}

// printTable prints the sums, and below them what is needed to read them.
func printTable(w io.Writer, r *Report) error {
	rows := [][]string{heading}
	for i, s := range r.Sums {
		if i > 0 && s.Workload != r.Sums[i-1].Workload {
			rows = append(rows, nil)
		}
		rows = append(rows, rowOf(r.Systems[s.System], s))
	}
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(line(row, widths(rows)) + "\n")
	}
	b.WriteString("\n")
	for _, paragraph := range legend(r) {
		b.WriteString(wrapped(paragraph) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func rowOf(a About, s Sum) []string {
	wal, ratio := "–", "–"
	if s.WAL > 0 {
		wal = thousands(s.WAL)
	}
	if s.Ratio > 0 {
		ratio = fmt.Sprintf("%.2f", s.Ratio)
	}
	keeps := "–"
	if what := strings.FieldsFunc(a.History, notLetter); len(what) > 0 {
		keeps = what[0] // row or none
	}
	return []string{
		a.Name, a.Version, a.Store, keeps, s.Workload,
		thousands(float64(s.Jobs)), thousands(s.Speed),
		"(" + thousands(s.Min) + "–" + thousands(s.Max) + ")", wal, ratio,
	}
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// legend tells how each system was set up, and what the figures are, in paragraphs.
func legend(r *Report) (lines []string) {
	for _, key := range keys {
		a, ok := r.Systems[key]
		if !ok {
			continue
		}
		line := fmt.Sprintf("%s: %s; insert: %s; history: %s", a.Name, a.Settings, a.Insert, a.History)
		if a.Feed != (Feed{}) {
			line += "; steady: " + a.Feed.String()
		}
		lines = append(lines, line)
	}
	for _, s := range r.Skipped {
		lines = append(lines, fmt.Sprintf("%s: skipped: %s", s.System, s.Reason))
	}
	lines = append(lines, "",
		fmt.Sprintf("Medians of %d runs, by turns; %d cores, shared by the server and the workers.",
			r.Options.Runs, r.Cores),
		"Postgres "+r.Postgres+": "+r.PostgresSettings)
	if r.Redis != "" {
		lines = append(lines, "Redis "+r.Redis+": "+redisDurability+". A crash may lose the last "+
			"second there, and nothing that was committed in Postgres: figures from Redis "+
			"promise less.")
	}
	if r.Node != "" {
		lines = append(lines, "Node "+strings.TrimPrefix(r.Node, "v")+", "+r.Go+".")
	}
	return lines
}

// left is how many columns, from the first, are not figures.
const left = 5

func widths(rows [][]string) []int {
	w := make([]int, len(heading))
	for _, row := range rows {
		for i, cell := range row {
			w[i] = max(w[i], utf8.RuneCountInString(cell))
		}
	}
	return w
}

func line(row []string, widths []int) string {
	cells := make([]string, len(row))
	for i, cell := range row {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i < left {
			cells[i] = cell + pad
		} else {
			cells[i] = pad + cell
		}
	}
	return strings.TrimRight(strings.Join(cells, "  "), " ")
}

// wrapped breaks a paragraph into lines; those after the first are indented.
func wrapped(s string) string {
	const columns, indent = 100, "    "
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && at+1+n > columns:
			b.WriteString("\n" + indent)
			at = len(indent)
		case i > 0:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
