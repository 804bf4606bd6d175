package pgtest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestNewHasOurTables(t *testing.T) {
	t.Parallel()
	db := New(t)
	for _, table := range []string{"jobs", "orders"} {
		var there bool
		err := db.QueryRow(t.Context(), `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&there)
		require.NoError(t, err)
		require.True(t, there, "table %s", table)
	}
}

func TestEmptyHasNoTables(t *testing.T) {
	t.Parallel()
	var n int
	err := Empty(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_tables
		WHERE schemaname = 'public'`).Scan(&n)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := Empty(t), Empty(t)
	_, err := a.Exec(t.Context(), `CREATE TABLE mine ()`)
	require.NoError(t, err)
	_, err = b.Exec(t.Context(), `CREATE TABLE mine ()`)
	require.NoError(t, err)
}

func TestURLReachesTheSameDatabase(t *testing.T) {
	t.Parallel()
	db := Empty(t)
	var want, got string
	const name = `SELECT current_database()`
	require.NoError(t, db.QueryRow(t.Context(), name).Scan(&want))
	conn, err := pgx.Connect(t.Context(), URL(db))
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), name).Scan(&got))
	require.NoError(t, conn.Close(t.Context()))
	require.Equal(t, want, got)
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	Server(t)
	var name string
	t.Run("user", func(t *testing.T) {
		err := Empty(t).QueryRow(t.Context(), `SELECT current_database()`).Scan(&name)
		require.NoError(t, err)
	})
	require.Contains(t, name, "testdatabaseisdropped_user")
	var there bool
	err := Empty(t).QueryRow(t.Context(),
		`SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there)
	require.NoError(t, err)
	require.False(t, there, "database %s", name)
}

func TestOpenedDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	s := Server(t)
	db, drop, err := Open("ExampleClient_Insert")
	require.NoError(t, err)
	name := db.Config().ConnConfig.Database
	require.Contains(t, name, "exampleclient_insert")
	var jobs int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM jobs`).Scan(&jobs))
	require.NoError(t, drop())
	_, err = pgx.Connect(t.Context(), withDatabase(s.URL, name))
	require.ErrorContains(t, err, "3D000") // no such database
}

func TestHashSeesNamesAndContents(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, files := range []fstest.MapFS{
		{"1.sql": {Data: []byte("a")}},
		{"2.sql": {Data: []byte("a")}},
		{"1.sql": {Data: []byte("b")}},
		{"1.sql": {Data: []byte("a")}, "2.sql": {Data: []byte("a")}},
	} {
		hash, err := hashOf(files)
		require.NoError(t, err)
		require.False(t, seen[hash], "%v", files)
		seen[hash] = true
	}
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"":                                 "dbname=x",
		"host=/tmp user=me dbname=y":       "host=/tmp user=me dbname=y dbname=x",
		"postgres:///y?host=%2Ftmp&user=m": "postgres:///x?host=%2Ftmp&user=m",
		"postgresql://m:p@h:1/y":           "postgresql://m:p@h:1/x",
	} {
		require.Equal(t, want, withDatabase(server, "x"))
		config, err := pgx.ParseConfig(withDatabase(server, "x"))
		require.NoError(t, err)
		require.Equal(t, "x", config.Database)
	}
}

func TestLongNamesStayUnique(t *testing.T) {
	t.Parallel()
	s := Server(t)
	name, err := clone(t.Context(), s.URL, "template0", strings.Repeat("Täst/", 50))
	require.NoError(t, err)
	require.NoError(t, drop(t.Context(), s.URL, name), "its name must not have been cut")
}
