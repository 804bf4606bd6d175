package exports

import (
	"bytes"
	"encoding/csv"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestAppendValueSpellsEachTypeExactly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		oid         uint32
		value, cell string
	}{
		{pgtype.Int8OID, "-9223372036854775808", "-9223372036854775808"},
		{pgtype.NumericOID, "-0.10", "-0.10"},
		{pgtype.NumericOID, "NaN", "NaN"},
		{pgtype.BoolOID, "t", "true"},
		{pgtype.BoolOID, "f", "false"},
		{pgtype.DateOID, "2026-11-02", "2026-11-02"},
		{pgtype.TimestamptzOID, "2026-11-02 10:00:00+00", "2026-11-02T10:00:00Z"},
		{pgtype.TimestamptzOID, "2026-11-02 10:00:00.25+00", "2026-11-02T10:00:00.25Z"},
		{pgtype.TimestamptzOID, "infinity", "infinity"},
		{pgtype.TimestamptzOID, "0044-03-15 10:00:00+00 BC", "0044-03-15 10:00:00+00 BC"},
		{pgtype.TimestamptzOID, "10000-01-01 00:00:00+00", "10000-01-01 00:00:00+00"},
		{pgtype.TimestampOID, "2026-11-02 10:00:00", "2026-11-02T10:00:00"},
		{pgtype.TextOID, "", `""`},
		{pgtype.TextOID, "plain", "plain"},
		{pgtype.TextOID, " led by a space", `" led by a space"`},
		{pgtype.TextOID, `say "hi"`, `"say ""hi"""`},
		{pgtype.TextOID, "a,b", `"a,b"`},
		{pgtype.TextOID, "a\nb", "\"a\nb\""},
		{pgtype.TextOID, `\.`, `"\."`},
		{pgtype.TextOID, "-5", "'-5"},
		{pgtype.JSONBOID, `{"a": 1}`, `"{""a"": 1}"`},
	} {
		require.Equal(t, c.cell, string(appendValue(nil, []byte(c.value), c.oid)), c.value)
	}
	require.Empty(t, appendValue(nil, nil, pgtype.TextOID), "NULL")
}

func TestIsFormula(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"=1+1", "+49 30", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", "\tx", "  =1", "\"=1",
		"'=1", "“=1", "\u00a0=1", "\u200b=1", "\uFEFF=1", "＝1", "＋1", "－1", "＠x", "﹦1", " ' \" =1", "\x1b=",
	} {
		require.True(t, isFormula([]byte(text)), "%q", text)
		cell := string(appendText(nil, []byte(text)))
		require.Equal(t, byte('\''), strings.TrimPrefix(cell, `"`)[0], cell)
	}
	for _, text := range []string{"", " ", "'", "1+1", "a=b", "Ann - Lee", "a@example.com", "\xff=", "−1"} {
		require.False(t, isFormula([]byte(text)), "%q", text)
	}
}

// write returns the file of a table of text.
func write(t testing.TB, columns int, rows ...[][]byte) string {
	t.Helper()
	var out bytes.Buffer
	table := &table{w: &out, rows: new(int64)}
	var header []pgconn.FieldDescription
	for range columns {
		header = append(header, pgconn.FieldDescription{Name: "c", DataTypeOID: pgtype.TextOID})
	}
	require.NoError(t, table.header(header))
	for _, row := range rows {
		require.NoError(t, table.row(row))
	}
	require.EqualValues(t, len(rows), *table.rows)
	return out.String()
}

func TestTableTellsNullFromEmpty(t *testing.T) {
	t.Parallel()
	require.Equal(t, "c,c\n,\"\"\n", write(t, 2, [][]byte{nil, {}}))
	require.Equal(t, "c,c\n,\n", write(t, 2, [][]byte{nil, nil}))
	// In one column a blank line would be dropped.
	require.Equal(t, "c\n\"\"\n\"\"\nx\n", write(t, 1, [][]byte{nil}, [][]byte{{}}, [][]byte{[]byte("x")}))
}

// What is written is read again, but for the apostrophe of a formula; and no cell
// is one.
func FuzzTable(f *testing.F) {
	f.Add([]byte("=1"), []byte(""))
	f.Add([]byte("a\"b,c\nd"), []byte(`\.`))
	f.Add([]byte(" ' \"\t"), []byte("\r"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if !utf8.Valid(a) || !utf8.Valid(b) {
			t.Skip("Postgres gives UTF-8")
		}
		a, b = append([]byte{}, a...), append([]byte{}, b...)
		for _, row := range [][][]byte{{a, b}, {b, a}, {a}} {
			file := write(t, len(row), row)
			records, err := csv.NewReader(strings.NewReader(file)).ReadAll()
			require.NoError(t, err, file)
			require.Len(t, records, 2, file)
			for i, cell := range records[1] {
				want := strings.ReplaceAll(string(row[i]), "\r\n", "\n") // as encoding/csv reads
				if isFormula(row[i]) {
					want = "'" + want
				}
				require.Equal(t, want, cell)
				if cell != "" {
					require.NotContains(t, "=+-@\t\r\x00", cell[:1])
				}
			}
		}
	})
}

// A million rows take the memory of a few pages: nothing is kept.
func TestCopyRowsKeepsNothing(t *testing.T) {
	const rows = 1_000_000
	db := pgtest.New(t)
	out := &watchedWriter{}
	n := new(int64)
	err := copyRows(t.Context(), db, &table{w: out, rows: n}, source{
		sql:    `SELECT generate_series(1, $1::integer) AS id, repeat('x', 100) AS filler`,
		args:   []any{rows},
		onPage: func() error { return nil },
	})
	require.NoError(t, err)
	require.EqualValues(t, rows, *n)
	require.Greater(t, out.bytes, rows*100)
	require.Less(t, out.most-out.first, int64(2<<20), "bytes in use")
}

// A watchedWriter drops what it is given and looks at the memory in use now and
// then.
type watchedWriter struct {
	calls, bytes int
	first, most  int64
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	if w.calls++; w.calls%100_000 == 10 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if w.first == 0 {
			w.first = int64(m.HeapAlloc)
		}
		w.most = max(w.most, int64(m.HeapAlloc))
	}
	w.bytes += len(p)
	return len(p), nil
}
