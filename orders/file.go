// Here: orders from a file, row by row, so that a file may be of any length.

package orders

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strings"
)

// Header is the first line of an orders file.
const Header = "order_number,customer_name,customer_email,amount,currency,card_token,placed_at"

// A Row is an order and where it was found.
type Row struct {
	Line  int // that it begins at, from 1
	Order *Order
}

// A RowError says why one row of an orders file is no order.
type RowError struct {
	Line   int // that the row begins at, from 1
	Reason string
}

// Error names the line and the reason.
func (e *RowError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// ReadFile yields the orders of a CSV file that begins with [Header], in its
// order. A row that is no order is yielded as a [*RowError], and the next ones
// follow; any other error ends the sequence. One row is in memory at a time: that
// a number appears twice is for [Place] to find.
//
// An amount is a decimal above 0 with at most two places, whatever the currency; a
// placed_at is a date or an RFC 3339 time. A byte-order mark, CRLF, blank lines and
// line breaks in quotes are accepted. After a row whose quotes are wrong, reading
// goes on at the next line.
func ReadFile(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		in := bufio.NewReader(r)
		if mark, _ := in.Peek(3); string(mark) == "\uFEFF" {
			_, _ = in.Discard(len(mark))
		}
		records := newRecords(in)
		if err := readHeader(records); err != nil {
			yield(Row{}, err)
			return
		}
		for records.next() {
			row := Row{Line: records.line}
			var err error
			if row.Order, err = records.order(); err != nil {
				err = &RowError{Line: row.Line, Reason: err.Error()}
			}
			if !yield(row, err) {
				return
			}
		}
		if err := records.in.Err(); err != nil {
			yield(Row{}, fmt.Errorf("read orders file: %w", err))
		}
	}
}

func readHeader(r *records) error {
	if !r.next() {
		if err := r.in.Err(); err != nil {
			return fmt.Errorf("read orders file: %w", err)
		}
		return fmt.Errorf("orders file is empty: its first line must be %s", Header)
	}
	found := strings.Join(r.fields, ",")
	if r.problem == nil && found == Header {
		return nil
	}
	hint := ""
	if text := string(r.in.Bytes()); strings.Contains(text, "\x00") {
		hint = " (it looks like UTF-16: save it as UTF-8)"
	}
	return fmt.Errorf("orders file begins with %s%s: its first line must be %s",
		shown(strings.TrimRight(r.in.Text(), "\r\n")), hint, Header)
}

// order makes the record at hand an order.
func (r *records) order() (*Order, error) {
	if r.problem != nil {
		return nil, r.problem
	}
	if want := strings.Count(Header, ",") + 1; len(r.fields) != want {
		return nil, fmt.Errorf("has %d fields, not %d", len(r.fields), want)
	}
	amount, err := parseAmount(r.fields[3])
	if err != nil {
		return nil, err
	}
	placed, err := parsePlacedAt(r.fields[6])
	if err != nil {
		return nil, err
	}
	o := &Order{
		Number:        r.fields[0],
		CustomerName:  r.fields[1],
		CustomerEmail: r.fields[2],
		Amount:        amount,
		Currency:      strings.ToUpper(r.fields[4]),
		CardToken:     r.fields[5],
		PlacedAt:      placed,
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, nil
}
