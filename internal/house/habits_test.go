package house

import (
	"go/ast"
	"strings"
	"testing"
)

// mayReadClock names the files of package queue that look at this machine's
// clock, each with its reason. What becomes of a job is decided by the clock of
// the database alone.
var mayReadClock = map[string]string{
	"queue/context.go": "how long an attempt has run in this process",
	"queue/pulse.go":   "how long a loop of this process has been silent",
	"queue/gather.go":  "how long a claim was on its way, so as to claim as much ahead",
	"queue/slots.go":   "how long a job waits here for a slot",
	"queue/sweep.go":   "how long sweeps take, so as to pause as much longer",
}

// TestHabits looks for single things that we do not do.
func TestHabits(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if f.dir == "internal/house" {
			continue // it names them
		}
		for _, group := range f.Comments {
			for _, c := range group.List {
				if silences(c.Text) {
					t.Errorf("%s:%d: mend what the linter says instead of silencing it",
						f.path, line(c.Pos()))
				}
			}
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if what := badHabit(f, n); what != "" {
				t.Errorf("%s:%d: %s", f.path, line(n.Pos()), what)
			}
			return true
		})
	}
}

func silences(comment string) bool {
	return strings.HasPrefix(comment, "//nolint") || strings.HasPrefix(comment, "//lint:ignore")
}

// badHabit returns what is wrong with a node and what to do instead, or "".
func badHabit(f file, n ast.Node) string {
	if function, ok := n.(*ast.FuncDecl); ok {
		if function.Recv == nil && function.Name.Name == "init" {
			return "init runs where nobody reads it: call a function from main, " +
				"or make the value where it is used"
		}
		return ""
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	name := called(call)
	switch {
	case strings.HasSuffix(name, ".SkipNow"),
		strings.HasSuffix(name, ".Skip") && len(call.Args) == 0:
		return "a test that is skipped says why: give the reason to Skip"
	case name == "time.Now" && f.dir == "queue" && !f.isTest && mayReadClock[f.path] == "":
		return "package queue decides nothing by this machine's clock: let the database say " +
			"what time it is, or give the reason in mayReadClock (internal/house)"
	case name == "fmt.Errorf" || name == "errors.New":
		if len(call.Args) > 0 && startsWith(call.Args[0], "failed to") {
			return `an error is read after "error:" as it is: ` +
				`say "claim jobs: …", not "failed to …"`
		}
	}
	return ""
}

// called returns what is called, as "package.Function" or "value.Method", or "".
func called(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	of, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return of.Name + "." + selector.Sel.Name
}

// startsWith reports whether e is a string literal that starts with prefix.
func startsWith(e ast.Expr, prefix string) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && strings.HasPrefix(strings.Trim(literal.Value, "`\""), prefix)
}
