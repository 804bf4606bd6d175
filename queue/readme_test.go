package queue_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
)

var fence = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

// blocks returns a page's code blocks in a language.
func blocks(t *testing.T, page, language string) (found []string) {
	t.Helper()
	text, err := os.ReadFile("../" + page)
	require.NoError(t, err)
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	require.NotEmpty(t, found)
	return found
}

func TestQueriesOfTheDocsRun(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"README.md", "docs/sql.md"} {
		db := pgtest.New(t)
		for _, block := range blocks(t, page, "sql") {
			for query := range strings.SplitSeq(block, ";\n") {
				if strings.TrimSpace(query) == "" {
					continue
				}
				rows, err := db.Query(t.Context(), query, pgx.QueryExecModeExec)
				require.NoError(t, err, query)
				rows.Close()
				require.NoError(t, rows.Err(), query)
			}
		}
	}
}

// What psql prints is what the page says, but for blanks at the ends of lines.
func TestSessionOfTheDocsIsWhatPsqlPrints(t *testing.T) {
	t.Parallel()
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("the session is one in psql, and no psql is in the PATH")
	}
	for _, block := range blocks(t, "docs/sql.md", "psql") {
		db := pgtest.New(t)
		var printed strings.Builder
		for line := range strings.Lines(block) {
			statement, ok := strings.CutPrefix(strings.TrimSpace(line), "=> ")
			if !ok {
				continue
			}
			cmd := exec.CommandContext(t.Context(), psql, "-X", "-v", "VERBOSITY=terse",
				"-c", statement, pgtest.URL(db))
			out, _ := cmd.CombinedOutput() // an error is printed, and may be what is meant
			fmt.Fprintf(&printed, "=> %s\n%s", statement, out)
			if strings.HasPrefix(string(out), "ERROR") {
				printed.WriteString("\n") // as psql does after a table
			}
		}
		require.Equal(t, block, blanksAtEnds.ReplaceAllString(printed.String(), ""))
	}
}

var blanksAtEnds = regexp.MustCompile(`(?m) +$`)

// The README's program is the package's first example, letter by letter.
func TestProgramOfTheReadmeIsAnExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	for _, block := range blocks(t, "README.md", "go") {
		require.Contains(t, string(source), block)
	}
}
