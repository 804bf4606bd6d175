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

// blocks returns the README's code blocks in a language.
func blocks(t *testing.T, language string) (found []string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, m := range fence.FindAllStringSubmatch(string(readme), -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	require.NotEmpty(t, found)
	return found
}

func TestQueriesOfTheReadmeRun(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, block := range blocks(t, "sql") {
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

// The README's program is the package's first example, letter by letter.
func TestProgramOfTheReadmeIsAnExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	for _, block := range blocks(t, "go") {
		require.Contains(t, string(source), block)
	}
}
