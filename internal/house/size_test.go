package house

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What fits on a few screens is read; what does not is scrolled over.
const (
	maxFileLines  = 600 // and 400 is the goal
	goalFileLines = 400

	maxFunctionLines  = 100
	longFunctionLines = 60
	maxLongFunctions  = 0.03 // of all functions outside of tests

	maxColumns     = 100
	maxTestColumns = 120 // a row of a table stays in one piece
	tabColumns     = 4
)

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		switch n := strings.Count(f.content, "\n"); {
		case f.generated():
		case n > maxFileLines:
			t.Errorf("%s: %d lines, and %d are allowed: split it by its nouns",
				f.path, n, maxFileLines)
		case n > goalFileLines:
			t.Logf("%s: %d lines; the goal is %d", f.path, n, goalFileLines)
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	t.Parallel()
	all, long := 0, []string{}
	for _, f := range files(t) {
		for _, d := range f.Decls {
			function, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := line(function.End()) - line(function.Pos()) + 1
			if n > maxFunctionLines {
				t.Errorf("%s:%d: %s has %d lines, and %d are allowed: name its parts and call them",
					f.path, line(function.Pos()), function.Name.Name, n, maxFunctionLines)
			}
			if f.isTest {
				continue
			}
			all++
			if n > longFunctionLines {
				long = append(long, f.path+": "+function.Name.Name)
			}
		}
	}
	if float64(len(long)) > maxLongFunctions*float64(all) {
		t.Errorf("%d of %d functions have more than %d lines, and %.0f %% may: shorten some of\n%s",
			len(long), all, longFunctionLines, 100*maxLongFunctions, strings.Join(long, "\n"))
	}
}

func TestLinesAreShort(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if f.generated() {
			continue
		}
		limit := maxColumns
		if f.isTest {
			limit = maxTestColumns
		}
		for i, l := range slices.Collect(strings.Lines(f.content)) {
			l = strings.TrimRight(l, "\n")
			n := utf8.RuneCountInString(l) + strings.Count(l, "\t")*(tabColumns-1)
			if n > limit {
				t.Errorf("%s:%d: %d columns (a tab is %d), and %d are allowed: break the line",
					f.path, i+1, n, tabColumns, limit)
			}
		}
	}
}
