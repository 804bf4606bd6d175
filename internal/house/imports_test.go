package house

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	pgx     = "github.com/jackc/pgx/v5"
	goose   = "github.com/pressly/goose/v3"
	cobra   = "github.com/spf13/cobra"
	testify = "github.com/stretchr/testify/require"
	goleak  = "go.uber.org/goleak"
)

// mayImport has a line for each room of the house: what its files may import
// beside the standard library. A room includes the folders in it, unless these
// have a line of their own. An import path includes those below it.
//
// The queue does not know the shop, orders and exports do not know that there is
// a queue, and jobs is where they meet. What happens to an order is in orders,
// when and how often it is tried in jobs, how trying works in queue.
var mayImport = map[string][]string{
	"queue":           {pgx},
	"queue/web":       {pgx, module + "/queue"},
	"queue/queuetest": {pgx, module + "/queue"},
	"migrations":      {pgx, goose},

	"orders":  {pgx},
	"exports": {pgx},
	"jobs": {
		pgx, module + "/queue", module + "/orders", module + "/exports",
		"github.com/wneessen/go-mail",
	},

	"cmd/worker": {anything},
	"cmd/rowlock": {
		pgx, cobra, module + "/queue", module + "/migrations", module + "/internal/cli",
		module + "/internal/bench", module + "/internal/localpg",
	},
	"examples": {pgx, module + "/queue", module + "/migrations"},

	"internal/bench": {pgx, module + "/queue", module + "/migrations"},
	"internal/cli": {
		pgx, cobra, "github.com/spf13/pflag", "golang.org/x/term",
		module + "/migrations", module + "/internal/localpg",
	},
	"internal/localpg":        {pgx},
	"internal/localpg/withpg": {module + "/internal/localpg"},
	"internal/pgtest": {
		pgx, testify, module + "/internal/localpg", module + "/migrations",
		"github.com/testcontainers/testcontainers-go",
	},
	"internal/sandbox": {"github.com/emersion/go-smtp"},
	"internal/house":   {},
}

// anything stands for every import.
const anything = "*"

// testsMayImport is what test files may import, beside what their room may.
var testsMayImport = []string{
	pgx, testify, goleak, "github.com/rogpeppe/go-internal/testscript",
	module + "/internal/pgtest", module + "/internal/localpg", module + "/internal/sandbox",
	module + "/migrations",
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		room, ok := roomOf(f.dir)
		if !ok {
			t.Errorf("%s: the folder %s has no line in mayImport (internal/house): "+
				"say there what it may import", f.path, f.dir)
			continue
		}
		allowed := mayImport[room]
		if f.isTest {
			allowed = slices.Concat(allowed, testsMayImport)
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s:%d: %v", f.path, line(spec.Pos()), err)
				continue
			}
			if !permitted(imported, append(allowed, module+"/"+room)) {
				t.Errorf("%s:%d: %s may not import %s: move what needs it to a room that may, "+
					"or argue for a change of mayImport (internal/house)",
					f.path, line(spec.Pos()), room, imported)
			}
		}
	}
}

// TestTestHelpersStayInTests keeps the test's server and its libraries out of
// programs.
func TestTestHelpersStayInTests(t *testing.T) {
	t.Parallel()
	inTestsOnly := []string{
		module + "/internal/pgtest", "github.com/stretchr/testify", goleak,
		"github.com/testcontainers/testcontainers-go", "testing",
	}
	for _, f := range files(t) {
		if f.isTest || f.dir == "internal/pgtest" || f.dir == "queue/queuetest" {
			continue
		}
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if listed(imported, inTestsOnly) {
				t.Errorf("%s:%d: %s is for tests: import it in a _test.go file",
					f.path, line(spec.Pos()), imported)
			}
		}
	}
}

// roomOf returns the line of mayImport that holds for a folder.
func roomOf(dir string) (room string, ok bool) {
	for r := range mayImport {
		if within(dir, r) && len(r) > len(room) {
			room, ok = r, true
		}
	}
	return room, ok
}

func permitted(imported string, allowed []string) bool {
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return true // the standard library
	}
	return listed(imported, allowed)
}

// listed reports whether a list has an import path, or one above it.
func listed(imported string, list []string) bool {
	return slices.ContainsFunc(list, func(l string) bool {
		return l == anything || within(imported, l)
	})
}

// within reports whether a path is another one or below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}
