// Here: the page, of which the parts between markers are written by this program.

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// write writes the page and its pictures anew.
func write(page, dir string) error {
	d, err := load(dir)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	fresh, err := fill(string(old), d.parts())
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := os.WriteFile(page, []byte(fresh), 0o644); err != nil {
		return err
	}
	for name, picture := range d.pictures() {
		if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fill puts parts into a page, each between its markers. All of them must be there.
func fill(page string, parts map[string]string) (string, error) {
	for name, part := range parts {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
		before, rest, found := strings.Cut(page, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			return "", fmt.Errorf("there is no place for %q: put %q and %q on lines of their own",
				name, strings.TrimSpace(begin), strings.TrimSpace(end))
		}
		page = before + begin + "\n" + strings.TrimSpace(part) + "\n\n" + end + after
	}
	return page, nil
}

// table returns rows as Markdown, below a heading; nothing if that is all there is.
// Columns but the first are figures.
func table(rows ...[]string) string {
	if len(rows) < 2 {
		return ""
	}
	var b bytes.Buffer
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|---" + strings.Repeat("|--:", len(row)-1) + "|\n")
		}
	}
	b.WriteString("\n")
	return b.String()
}
