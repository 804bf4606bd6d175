// Here: tables, for people.

package main

import (
	"io"
	"strings"

	"github.com/rowlock/rowlock/internal/cli"
)

// tableBatch is how many rows are lined up before they are written, so that a long
// list begins soon and needs little memory.
const tableBatch = 200

// A table writes rows in columns that are lined up. What a cell says is made
// printable.
type table struct {
	w      io.Writer
	width  int // columns of the terminal, to which the last cell is cut; 0 cuts nothing
	widths []int
	rows   [][]string
}

// newTable returns a table on w.
func newTable(w io.Writer, heads ...string) *table {
	return &table{
		w: w, width: cli.Width(w), widths: make([]int, len(heads)), rows: [][]string{heads},
	}
}

// add adds a row.
func (t *table) add(cells ...string) error {
	for i, cell := range cells {
		cells[i] = cli.Printable(cell)
	}
	t.rows = append(t.rows, cells)
	if len(t.rows) > tableBatch {
		return t.flush()
	}
	return nil
}

// flush writes the rows added so far. A column only gets wider from then on.
func (t *table) flush() error {
	var b strings.Builder
	for _, cells := range t.rows {
		for i, cell := range cells {
			t.widths[i] = max(t.widths[i], columns(cell))
		}
	}
	for _, cells := range t.rows {
		b.WriteString(t.line(cells) + "\n")
	}
	t.rows = nil
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *table) line(cells []string) string {
	const gap, least = 2, 12 // of a cut cell that much is shown in any case
	var b strings.Builder
	used, last := 0, len(cells)-1
	for i, cell := range cells[:last] {
		b.WriteString(cell + strings.Repeat(" ", t.widths[i]-columns(cell)+gap))
		used += t.widths[i] + gap
	}
	if t.width > 0 {
		cells[last] = cut(cells[last], max(t.width-used, least))
	}
	return strings.TrimRight(b.String()+cells[last], " ")
}

// cut returns as much of text as fits into so many columns.
func cut(text string, width int) string {
	if columns(text) <= width {
		return text
	}
	width-- // for the ellipsis
	for i, r := range text {
		if width -= columns(string(r)); width < 0 {
			return text[:i] + "…"
		}
	}
	return text
}

// columns returns how many columns of a terminal text takes, or a few more: letters
// that may be two columns wide count as two.
func columns(text string) (n int) {
	const firstWide = 0x1100
	for _, r := range text {
		if n++; r >= firstWide && r != '…' {
			n++
		}
	}
	return n
}
