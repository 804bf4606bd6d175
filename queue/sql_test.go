package queue_test

import (
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// roomsWithSQL are the packages whose statements are checked, and how many each
// has at least.
var roomsWithSQL = map[string]int{
	"queue": 20, "jobs": 1, "orders": 1, "exports": 1, "migrations": 1, "cmd/worker": 1,
}

// A constant whose name ends in SQL is a whole statement; a part of one has
// another name.
func TestEveryStatementFitsTheSchema(t *testing.T) {
	b := setup(t)
	conn, err := b.db.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for room, atLeast := range roomsWithSQL {
		statements := statementsOf(t, room)
		require.GreaterOrEqual(t, len(statements), atLeast, room)
		for name, sql := range statements {
			_, err := conn.Conn().Prepare(t.Context(), "", sql)
			require.NoError(t, err, "%s: %s", room, name)
		}
	}
}

// Logs and pg_stat_statements then name the room of a statement.
func TestEveryStatementOfALibraryBeginsWithItsName(t *testing.T) {
	t.Parallel()
	for _, room := range []string{"queue", "jobs", "orders", "exports"} {
		for name, sql := range statementsOf(t, room) {
			require.Regexp(t, `^-- `+room+`\.[a-z_]+\n\S`, sql, "%s: %s", room, name)
		}
	}
}

// statementsOf returns the constants of a package whose names end in SQL. What it
// imports is not looked at: statements are made of its own constants.
func statementsOf(t *testing.T, room string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(room), "*.go"))
	require.NoError(t, err)
	fileSet := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		file, err := parser.ParseFile(fileSet, path, content, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	_, _ = config.Check(room, fileSet, files, info) // it does not know the imports
	statements := map[string]string{}
	for _, object := range info.Defs {
		c, ok := object.(*types.Const)
		if ok && strings.HasSuffix(c.Name(), "SQL") {
			require.Equal(t, constant.String, c.Val().Kind(), "%s: %s", room, c.Name())
			require.NotContains(t, statements, c.Name(), "%s: two constants of a name", room)
			statements[c.Name()] = constant.StringVal(c.Val())
		}
	}
	return statements
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) {
	return nil, errors.New("not looked at")
}
