// Here: rows as CSV that a spreadsheet may open.
//
// RFC 4180 in UTF-8 without a byte-order mark, lines ending in a line feed. NULL is
// an empty cell and an empty text is "", as in Postgres' COPY; in a table of one
// column both are "", since readers drop a blank line. Numbers are exact, true and
// false are spelled out, times are RFC 3339 in UTC.

package exports

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A table is a CSV file being written.
type table struct {
	w     io.Writer
	rows  *int64   // counts them, the header not
	types []uint32 // of the columns
	line  []byte   // kept between rows
}

// header writes the columns' names, once.
func (t *table) header(columns []pgconn.FieldDescription) error {
	if t.types != nil {
		return nil
	}
	for _, c := range columns {
		t.types = append(t.types, c.DataTypeOID)
		t.line = append(appendText(t.line, []byte(c.Name)), ',')
	}
	return t.end()
}

// row writes one row of values, each as Postgres writes it as text.
func (t *table) row(values [][]byte) error {
	*t.rows++
	for i, v := range values {
		t.line = append(appendValue(t.line, v, t.types[i]), ',')
	}
	return t.end()
}

// end writes the line, which has a comma too many.
func (t *table) end() error {
	t.line = t.line[:len(t.line)-1]
	if len(t.line) == 0 {
		t.line = append(t.line, `""`...)
	}
	_, err := t.w.Write(append(t.line, '\n'))
	t.line = t.line[:0]
	return err
}

// appendValue appends the cell of a value of the type oid.
func appendValue(line, v []byte, oid uint32) []byte {
	if v == nil {
		return line
	}
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.NumericOID,
		pgtype.Float4OID, pgtype.Float8OID, pgtype.DateOID, pgtype.UUIDOID:
		return append(line, v...)
	case pgtype.BoolOID:
		return strconv.AppendBool(line, v[0] == 't')
	case pgtype.TimestamptzOID, pgtype.TimestampOID:
		return appendTime(line, v)
	}
	return appendText(line, v)
}

// appendTime appends 2026-11-02 10:00:00.5+00 as RFC 3339. The infinities and the
// years that RFC 3339 does not know stay as Postgres writes them.
func appendTime(line, v []byte) []byte {
	if len(v) < 19 || v[10] != ' ' || v[len(v)-1] == 'C' { // BC
		return append(line, v...)
	}
	line = append(append(line, v[:10]...), 'T')
	if text, utc := bytes.CutSuffix(v[11:], []byte("+00")); utc {
		return append(append(line, text...), 'Z')
	}
	return append(line, v[11:]...)
}

// appendText appends a text that a spreadsheet will show and not calculate: what
// looks like a formula gets an apostrophe.
func appendText(line, v []byte) []byte {
	formula := isFormula(v)
	quoted := len(v) == 0 || bytes.ContainsAny(v, ",\"\r\n") || v[0] == ' ' ||
		string(v) == `\.` // would end the data of a COPY
	if quoted {
		line = append(line, '"')
	}
	if formula {
		line = append(line, '\'')
	}
	for i := bytes.IndexByte(v, '"'); i >= 0; i = bytes.IndexByte(v, '"') {
		line = append(append(line, v[:i+1]...), '"')
		v = v[i+1:]
	}
	line = append(line, v...)
	if quoted {
		line = append(line, '"')
	}
	return line
}

// isFormula reports whether some spreadsheet may take text for a formula: it begins
// with one of = + - @, full-width ones included, perhaps after spaces, quotes and
// what cannot be seen, or with a TAB, CR, LF or NUL, which some drop.
func isFormula(text []byte) bool {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫\t\r\n\x00", r):
			return true
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.Is(unicode.Cf, r),
			unicode.Is(unicode.Pi, r), unicode.Is(unicode.Pf, r), strings.ContainsRune("\"'`", r):
			continue
		}
		return false
	}
	return false
}
