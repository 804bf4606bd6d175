package queue_test

import (
	"os"
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

// The README's program is the package's first example, letter by letter.
func TestProgramOfTheReadmeIsAnExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	for _, block := range blocks(t, "README.md", "go") {
		require.Contains(t, string(source), block)
	}
}
