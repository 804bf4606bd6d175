// Here: CSV of RFC 4180, as it is found. encoding/csv reads on to the end of the
// file for a closing quote; here a stray quote costs its own line, and a record
// never takes more memory than maxRecord.

package orders

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxRecord = 64 << 10

// records are a file's records, one at a time.
type records struct {
	in      *bufio.Scanner
	fields  []string
	problem error // why the record at hand has no fields
	line    int   // that the record at hand begins at
	after   int   // that what comes after it begins at
	skip    bool  // to the end of a line of which a part was rejected
	broken  bool  // the file cannot be read to its end
}

func newRecords(r io.Reader) *records {
	s := &records{after: 1}
	s.in = bufio.NewScanner(watched{r, &s.broken})
	s.in.Buffer(nil, 2*maxRecord)
	s.in.Split(s.split)
	return s
}

// A watched reader notes that it broke off. A Scanner takes what it has by then
// for the file's end, and half a row may look like a whole one.
type watched struct {
	io.Reader
	broken *bool
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	*w.broken = *w.broken || err != nil && err != io.EOF
	return n, err
}

// next goes to the next record and reports whether there is one. It passes over
// blank lines.
func (r *records) next() bool {
	for r.in.Scan() {
		if blank := r.problem == nil && len(bytes.TrimRight(r.in.Bytes(), "\r\n")) == 0; !blank {
			return true
		}
	}
	return false
}

// split is a [bufio.SplitFunc]. Its token is the text of a record; of one that
// cannot be read, the first line, so that what comes after it is tried next.
func (r *records) split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if len(data) == 0 {
		return 0, nil, nil
	}
	if r.skip {
		n, ended := firstLine(data)
		if r.skip = !ended; ended {
			r.after++
		}
		return n, nil, nil
	}
	fields, n, problem := cut(data, atEOF && !r.broken)
	if n == 0 && problem == nil {
		if len(data) < maxRecord {
			return 0, nil, nil // more, please; there is none if the file broke off
		}
		problem = fmt.Errorf("is longer than %d KiB, or has a quote that is not closed",
			maxRecord>>10)
	}
	r.line, r.fields, r.problem = r.after, fields, problem
	if problem != nil {
		var ended bool
		n, ended = firstLine(data)
		r.skip = !ended && !atEOF
	}
	r.after += bytes.Count(data[:n], []byte("\n"))
	return n, data[:n], nil
}

// firstLine returns the length of data's first line, its end included if it is
// there.
func firstLine(data []byte) (n int, ended bool) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, true
	}
	return len(data), false
}

var (
	errOpen  = errors.New("has a quote that is not closed")
	errAfter = errors.New("has text after a closing quote")
	errBare  = errors.New("has a quote inside a field that does not begin with one")
)

// cut returns the fields of the record that data begins with, and its length: 0
// if more of it is needed.
func cut(data []byte, atEOF bool) (fields []string, n int, problem error) {
	for at := 0; ; {
		var (
			field string
			size  int
		)
		if at < len(data) && data[at] == '"' {
			field, size, problem = cutQuoted(data[at:], atEOF)
		} else {
			field, size, problem = cutBare(data[at:], atEOF)
		}
		if size < 0 || problem != nil {
			return nil, 0, problem
		}
		fields = append(fields, field)
		at += size
		if at == len(data) || data[at] == '\n' {
			return fields, min(at+1, len(data)), nil
		}
		at++ // the comma
	}
}

// cutBare returns the field that data begins with, and its length up to the comma,
// the line feed or the end of the file behind it: -1 if more of it is needed.
func cutBare(data []byte, atEOF bool) (field string, size int, problem error) {
	size = bytes.IndexAny(data, ",\n\"")
	switch {
	case size < 0 && !atEOF:
		return "", -1, nil
	case size < 0:
		size = len(data)
	case data[size] == '"':
		return "", 0, errBare
	}
	text := data[:size]
	if size == len(data) || data[size] == '\n' {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	return string(text), size, nil
}

// cutQuoted is cutBare for a field in quotes.
func cutQuoted(data []byte, atEOF bool) (field string, size int, problem error) {
	end := 1
	for {
		i := bytes.IndexByte(data[end:], '"')
		if i < 0 {
			if atEOF {
				return "", 0, errOpen
			}
			return "", -1, nil
		}
		if end += i; end+1 == len(data) || data[end+1] != '"' {
			break
		}
		end += 2 // two quotes stand for one
	}
	tail := data[end+1:]
	if len(tail) < 2 && !atEOF {
		return "", -1, nil // it may be half of "" or of CRLF
	}
	size = end + 1
	if bytes.HasPrefix(tail, []byte("\r\n")) || string(tail) == "\r" {
		tail, size = tail[1:], size+1
	}
	if len(tail) > 0 && tail[0] != ',' && tail[0] != '\n' {
		return "", 0, errAfter
	}
	text := strings.ReplaceAll(string(data[1:end]), `""`, `"`)
	return strings.ReplaceAll(text, "\r\n", "\n"), size, nil
}
