package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
)

// TestStatementsFitTheTables has Postgres parse each statement of this package.
func TestStatementsFitTheTables(t *testing.T) {
	t.Parallel()
	statements := statements(t)
	require.NotEmpty(t, statements)
	conn, err := pgtest.New(t).Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for name, sql := range statements {
		_, err := conn.Conn().Prepare(t.Context(), name, sql)
		require.NoError(t, err, name)
		require.Regexp(t, `^-- worker\.[a-z_]+\n`, sql, "%s says where it is from", name)
	}
}

// statements returns the constants of this package that are named …SQL.
func statements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := make(map[string]string)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasSuffix(spec.Names[0].Name, "SQL") || len(spec.Values) != 1 {
				return true
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			require.True(t, ok, "%s is no literal", spec.Names[0].Name)
			found[spec.Names[0].Name], err = strconv.Unquote(literal.Value)
			require.NoError(t, err)
			return true
		})
	}
	return found
}
