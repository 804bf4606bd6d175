package orders_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/orders"
)

const goodLine = "A-1,Ann Lee,ann@example.com,19.90,EUR,tok_ok,2026-11-02\n"

// read returns what a file holds: a line per row, its order or why it is none.
func read(t *testing.T, content string) (rows []string) {
	t.Helper()
	for row, err := range orders.ReadFile(strings.NewReader(content)) {
		switch bad, ok := errors.AsType[*orders.RowError](err); {
		case ok:
			require.Nil(t, row.Order)
			require.Equal(t, bad.Line, row.Line)
			rows = append(rows, bad.Error())
		case err != nil:
			rows = append(rows, "error: "+err.Error())
		default:
			o := row.Order
			rows = append(rows, fmt.Sprintf("line %d: %s|%s|%s|%s|%s|%s|%s", row.Line, o.Number,
				o.CustomerName, o.CustomerEmail, orders.FormatAmount(o.Amount), o.Currency, o.CardToken,
				o.PlacedAt.Format(time.RFC3339)))
		}
	}
	return rows
}

func TestReadFileTakesCSVAsItIsFound(t *testing.T) {
	t.Parallel()
	content := "\uFEFF" + orders.Header + "\r\n" +
		"A-1,Ann Lee,ann@example.com,19.90,EUR,tok_ok,2026-11-02\r\n" +
		"\r\n" +
		"\"A-2\",\"Lee,\r\nBo \"\"Bobo\"\"\",bo@example.com,7,usd,tok_ok,2026-11-02T10:30:00+01:00\r\n" +
		"A-3,,c@example.com,0.5,EUR,tok_ok,2026-11-02T10:30:00.25Z\n" +
		"A-4,Dän Ō,dän@example.com,99999999999.99,JPY,tok_ok,1970-01-01" // no line break at the end
	require.Equal(t, []string{
		"line 2: A-1|Ann Lee|ann@example.com|19.90|EUR|tok_ok|2026-11-02T00:00:00Z",
		"line 4: A-2|Lee,\nBo \"Bobo\"|bo@example.com|7.00|USD|tok_ok|2026-11-02T09:30:00Z",
		"line 6: A-3||c@example.com|0.50|EUR|tok_ok|2026-11-02T10:30:00Z",
		"line 7: A-4|Dän Ō|dän@example.com|99999999999.99|JPY|tok_ok|1970-01-01T00:00:00Z",
	}, read(t, content))
}

func TestReadFileRejectsARowAndGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ row, reason string }{
		{"A-1,Ann,ann@example.com,1,EUR,tok_ok", "has 6 fields, not 7"},
		{"A-1,Ann,ann@example.com,1,EUR,tok_ok,2026-11-02,x", "has 8 fields, not 7"},
		{",Ann,ann@example.com,1,EUR,tok_ok,2026-11-02", "order_number is empty"},
		{
			strings.Repeat("9", 101) + ",Ann,ann@example.com,1,EUR,tok_ok,2026-11-02",
			"order_number has 101 characters, more than 100",
		},
		{
			"\"A\n1\",Ann,ann@example.com,1,EUR,tok_ok,2026-11-02",
			`order_number is "A\n1", with a control character`,
		},
		{"A-1,Ann\x00,ann@example.com,1,EUR,tok_ok,2026-11-02", "customer_name holds a NUL"},
		{"A-1,Ann\xff,ann@example.com,1,EUR,tok_ok,2026-11-02", "customer_name is not UTF-8"},
		{"A-1,Ann,,1,EUR,tok_ok,2026-11-02", "customer_email is empty"},
		{
			"A-1,Ann,ann,1,EUR,tok_ok,2026-11-02",
			`customer_email is "ann", not an address such as ann@example.com`,
		},
		{
			"A-1,Ann,Ann <ann@example.com>,1,EUR,tok_ok,2026-11-02",
			`customer_email is "Ann <ann@example.com>", not an address such as ann@example.com`,
		},
		{
			"A-1,Ann,\"ann@example.com\nBcc: all@example.com\",1,EUR,tok_ok,2026-11-02",
			`customer_email is "ann@example.com\nBcc: all@example.com", with a control character`,
		},
		{"A-1,Ann,ann@example.com,0,EUR,tok_ok,2026-11-02", `amount is "0", not above 0`},
		{"A-1,Ann,ann@example.com,0.00,EUR,tok_ok,2026-11-02", `amount is "0.00", not above 0`},
		{
			"A-1,Ann,ann@example.com,-1,EUR,tok_ok,2026-11-02",
			`amount is "-1", not a decimal such as 19.90`,
		},
		{
			"A-1,Ann,ann@example.com,,EUR,tok_ok,2026-11-02",
			`amount is "", not a decimal such as 19.90`,
		},
		{
			"A-1,Ann,ann@example.com,1e3,EUR,tok_ok,2026-11-02",
			`amount is "1e3", not a decimal such as 19.90`,
		},
		{
			"A-1,Ann,ann@example.com,\"1,50\",EUR,tok_ok,2026-11-02",
			`amount is "1,50", not a decimal such as 19.90`,
		},
		{
			"A-1,Ann,ann@example.com,1.,EUR,tok_ok,2026-11-02",
			`amount is "1.", not a decimal such as 19.90`,
		},
		{
			"A-1,Ann,ann@example.com,1.999,EUR,tok_ok,2026-11-02",
			`amount is "1.999", with more than two decimal places`,
		},
		{
			"A-1,Ann,ann@example.com,100000000000,EUR,tok_ok,2026-11-02",
			`amount is "100000000000", more than 99999999999.99`,
		},
		{
			"A-1,Ann,ann@example.com," + strings.Repeat("9", 100) + ",EUR,tok_ok,2026-11-02",
			`amount is "` + strings.Repeat("9", 60) + `…", more than 99999999999.99`,
		},
		{"A-1,Ann,ann@example.com,1,EURO,tok_ok,2026-11-02", `currency is "EURO", not three letters`},
		{"A-1,Ann,ann@example.com,1,€UR,tok_ok,2026-11-02", `currency is "€UR", not three letters`},
		{"A-1,Ann,ann@example.com,1,EUR,,2026-11-02", "card_token is empty"},
		{
			"A-1,Ann,ann@example.com,1,EUR,tok_ok,2026-02-30",
			`placed_at is "2026-02-30", neither a date such as 2026-11-02 nor an RFC 3339 time`,
		},
		{
			"A-1,Ann,ann@example.com,1,EUR,tok_ok,1969-12-31",
			"placed_at is in the year 1969, not from 1970 to 9999",
		},
		{
			"A-1,An\"n,ann@example.com,1,EUR,tok_ok,2026-11-02",
			"has a quote inside a field that does not begin with one",
		},
		{"A-1,\"Ann\" Lee,ann@example.com,1,EUR,tok_ok,2026-11-02", "has text after a closing quote"},
		{"A-1,\"Ann,ann@example.com,1,EUR,tok_ok,2026-11-02", "has a quote that is not closed"},
	} {
		rows := read(t, orders.Header+"\n"+c.row+"\n"+goodLine)
		require.Len(t, rows, 2, "%q", rows)
		require.Equal(t, "line 2: "+c.reason, rows[0])
		require.Contains(t, rows[1], ": A-1|Ann Lee|")
	}
}

func TestReadFileLosesOneLineToAStrayQuote(t *testing.T) {
	t.Parallel()
	// The quote of line 3 is closed by the first of line 5.
	rows := read(t, orders.Header+"\n"+goodLine+
		"A-2,\"Bo,bo@example.com,1,EUR,tok_ok,2026-11-02\n"+goodLine+
		"A-4,\"Di\nO\",di@example.com,1,EUR,tok_ok,2026-11-02\n"+goodLine)
	require.Len(t, rows, 5)
	require.Equal(t, "line 3: has text after a closing quote", rows[1])
	require.Contains(t, rows[2], "line 4: A-1|")
	require.Contains(t, rows[3], "line 5: A-4|Di\nO|")
	require.Contains(t, rows[4], "line 7: A-1|")

	// No closing quote within what a record may have.
	filler := strings.Repeat(goodLine, 2000)
	rows = read(t, orders.Header+"\nA-2,\"Bo\n"+filler)
	require.Len(t, rows, 2001)
	require.Equal(t, "line 2: is longer than 64 KiB, or has a quote that is not closed", rows[0])

	// A line that is longer.
	rows = read(t, orders.Header+"\n"+strings.Repeat("x", 1<<20)+"\n"+goodLine)
	require.Len(t, rows, 2)
	require.Equal(t, "line 2: is longer than 64 KiB, or has a quote that is not closed", rows[0])
	require.Contains(t, rows[1], "line 3: A-1|")
}

func TestReadFileWantsItsHeader(t *testing.T) {
	t.Parallel()
	for content, begin := range map[string]string{
		"":                             "error: orders file is empty: ",
		"\r\n\n":                       "error: orders file is empty: ",
		goodLine:                       `error: orders file begins with "A-1,Ann Lee,`,
		"order_number;customer_name\n": `error: orders file begins with "order_number;customer_name": `,
		"\xff\xfeo\x00r\x00d\x00e\x00": `error: orders file begins with "\xff\xfeo\x00r\x00d\x00e\x00" ` +
			`(it looks like UTF-16: save it as UTF-8): `,
	} {
		rows := read(t, content)
		require.Len(t, rows, 1)
		require.True(t, strings.HasPrefix(rows[0], begin), rows[0])
		require.True(t, strings.HasSuffix(rows[0], "its first line must be "+orders.Header), rows[0])
	}
}

func TestReadFileDoesNotTakeHalfARowForAWholeOne(t *testing.T) {
	t.Parallel()
	cut := errors.New("the disk is gone")
	half := orders.Header + "\n" + goodLine + "A-2,Bo,bo@example.com,1,EUR,tok_ok,2026-11-02"
	r := io.MultiReader(strings.NewReader(half), iotest.ErrReader(cut))
	var (
		good int
		last error
	)
	for _, err := range orders.ReadFile(r) {
		if last = err; err == nil {
			good++
		}
	}
	require.ErrorIs(t, last, cut)
	require.Equal(t, 1, good)
}

func TestReadFileGivesTheSameByteByByte(t *testing.T) {
	t.Parallel()
	content := "\uFEFF" + orders.Header + "\r\n" + goodLine +
		"A-2,\"Bo\r\n\"\"B\"\"\",bo@example.com,1,EUR,tok_ok,2026-11-02\r\nA-3,\"\n" + goodLine
	var got []string
	for row, err := range orders.ReadFile(iotest.OneByteReader(strings.NewReader(content))) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, fmt.Sprintf("line %d: %s", row.Line, row.Order.CustomerName))
	}
	require.Equal(t, []string{
		"line 2: Ann Lee", "line 3: Bo\n\"B\"",
		"line 5: has a quote that is not closed", "line 6: Ann Lee",
	}, got)
}

// Memory does not grow with the file: no row is kept, and none may be larger than
// its bound, even in a file that is one open quote.
func TestReadFileKeepsNothing(t *testing.T) {
	file := io.MultiReader(strings.NewReader(orders.Header+"\nA,\""),
		io.LimitReader(endless("x"), 16<<20),
		strings.NewReader("\n"), io.LimitReader(endless(goodLine), 4<<20))
	var peak heap
	rows := 0
	for range orders.ReadFile(file) {
		if rows++; rows%10_000 == 1 {
			peak.look()
		}
	}
	require.Greater(t, rows, 70_000)
	require.Less(t, peak.growth(), int64(2<<20))
}

// endless repeats a text for ever.
func endless(text string) io.Reader { return &endlessReader{text: text} }

type endlessReader struct {
	text string
	at   int
}

func (r *endlessReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], r.text[r.at:])
		n += c
		r.at = (r.at + c) % len(r.text)
	}
	return n, nil
}

func FuzzReadFile(f *testing.F) {
	f.Add(goodLine)
	f.Add("A-2,\"Bo\r\n\"\"B\"\"\",bo@example.com,1,EUR,tok_ok,2026-11-02\r\n")
	f.Add("\"\n\"\"\n,\"\r\r\n")
	f.Add("A-1,Ann\x00,\xff,1e9,,,\n")
	f.Fuzz(func(t *testing.T, body string) {
		content := orders.Header + "\n" + body
		line, reasons := 1, 0
		for row, err := range orders.ReadFile(strings.NewReader(content)) {
			require.Greater(t, row.Line, line, "lines rise")
			line = row.Line
			if err != nil {
				reasons++
				continue
			}
			o := row.Order
			require.Positive(t, o.Amount)
			require.Len(t, o.Currency, 3)
			require.NotContains(t, o.CustomerEmail, "\n")
			require.NotContains(t, o.CustomerName, "\x00")
		}
		require.LessOrEqual(t, line, 1+strings.Count(content, "\n"))
		// A good line behind whatever it is, on a line of its own, is found.
		last := ""
		for row, err := range orders.ReadFile(strings.NewReader(content + "\n" + goodLine)) {
			if last = ""; err == nil {
				last = row.Order.Number
			}
		}
		if !strings.Contains(body, `"`) {
			require.Equal(t, "A-1", last)
		}
	})
}
