// Here: what Postgres would refuse, inflate or choke on. It is refused before
// anything is sent, since an SQL error would abort the caller's transaction.

package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxNameBytes      = 128
	maxUniqueBytes    = 256
	maxArgsBytes      = 1 << 20
	maxArgsDepth      = 100
	maxNumberDigits   = 64
	maxNumberExponent = 308
)

// endOfTime is the first run_at that the tables refuse.
var endOfTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)

// checkName returns what is wrong with the name of a kind or queue, or "". The
// domain job_name has the same rule.
func checkName(name string) string {
	if name == "" {
		return "must not be empty"
	}
	if len(name) > maxNameBytes {
		return fmt.Sprintf("must have at most %d bytes, has %d", maxNameBytes, len(name))
	}
	for i := range len(name) {
		c := name[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || strings.IndexByte("_.:/-", c) < 0) {
			return fmt.Sprintf("must be letters, digits and _ . : / - "+
				"beginning with a letter or digit, is %.140q", name)
		}
	}
	return ""
}

// checkUnique returns what is wrong with a unique key, or "".
func checkUnique(key string) string {
	switch {
	case len(key) > maxUniqueBytes:
		return fmt.Sprintf("must have at most %d bytes, has %d", maxUniqueBytes, len(key))
	case !utf8.ValidString(key):
		return fmt.Sprintf("must be valid UTF-8, is %q", key)
	case strings.IndexByte(key, 0) >= 0:
		return fmt.Sprintf("must have no NUL, is %q", key)
	}
	return ""
}

// encodeArgs returns args as JSON that jsonb stores as it is.
func encodeArgs(args Args) (string, *InvalidError) {
	data, err := json.Marshal(args)
	if err != nil {
		return "", &InvalidError{Field: "Args", Reason: fmt.Sprintf("of type %T: %v", args, err)}
	}
	if len(data) > maxArgsBytes {
		return "", &InvalidError{Field: "Args", Reason: fmt.Sprintf(
			"must have at most %d bytes as JSON, has %d: store what is large elsewhere "+
				"and refer to it", maxArgsBytes, len(data))}
	}
	if offset, reason := checkJSON(data); reason != "" {
		return "", &InvalidError{Field: "Args" + pathAt(data, offset), Reason: reason}
	}
	// Marshal writes broken UTF-8 of a Go string as this escape. It may also come
	// from a json.RawMessage that spells it so, which is fine.
	if bytes.Contains(data, []byte(`\ufffd`)) {
		search := &textSearch{left: 4 * len(data)}
		if path, broken := search.broken(reflect.ValueOf(args), 0); broken {
			return "", &InvalidError{Field: "Args" + path, Reason: "must be valid UTF-8"}
		}
	}
	return string(data), nil
}

// checkJSON returns where well-formed JSON has something that jsonb refuses or
// inflates, and what it is; or no reason.
func checkJSON(data []byte) (offset int, reason string) {
	depth := 0
	for i := 0; i < len(data); {
		switch c := data[i]; {
		case c == '"':
			n, reason := checkString(data[i:])
			if reason != "" {
				return i, reason
			}
			i += n
		case c == '-' || '0' <= c && c <= '9':
			n, reason := checkNumber(data[i:])
			if reason != "" {
				return i, reason
			}
			i += n
		default:
			switch c {
			case '{', '[':
				if depth++; depth > maxArgsDepth {
					return i, fmt.Sprintf("must not be nested deeper than %d", maxArgsDepth)
				}
			case '}', ']':
				depth--
			}
			i++
		}
	}
	return 0, ""
}

// checkString checks the JSON string that s begins with and returns its length.
func checkString(s []byte) (n int, reason string) {
	for i := 1; i < len(s); {
		switch c := s[i]; {
		case c == '"':
			return i + 1, ""
		case c == '\\' && s[i+1] != 'u':
			i += 2
		case c == '\\':
			r := hex4(s[i+2:])
			switch {
			case r == 0:
				return 0, "must have no NUL, which jsonb cannot store"
			case 0xDC00 <= r && r <= 0xDFFF:
				return 0, "must not have half a surrogate pair"
			case 0xD800 <= r && r <= 0xDBFF:
				low := rune(0)
				if i+11 < len(s) && s[i+6] == '\\' && s[i+7] == 'u' {
					low = hex4(s[i+8:])
				}
				if low < 0xDC00 || low > 0xDFFF {
					return 0, "must not have half a surrogate pair"
				}
				i += 6
			}
			i += 6
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && size == 1 {
				return 0, "must be valid UTF-8"
			}
			i += size
		}
	}
	return len(s), ""
}

// hex4 is the value of four hexadecimal digits.
func hex4(s []byte) rune {
	if len(s) < 4 {
		return 0
	}
	v, _ := strconv.ParseUint(string(s[:4]), 16, 32)
	return rune(v)
}

// checkNumber checks the JSON number that s begins with and returns its length.
// jsonb would store 1e100000 in full, and write it out with each read.
func checkNumber(s []byte) (n int, reason string) {
	digits, exponent, inExponent := 0, 0, false
	for n = 0; n < len(s); n++ {
		c := s[n]
		switch {
		case '0' <= c && c <= '9' && inExponent:
			exponent = min(exponent*10+int(c-'0'), maxNumberExponent+1)
		case '0' <= c && c <= '9':
			digits++
		case c == 'e' || c == 'E':
			inExponent = true
		case c == '-' || c == '+' || c == '.':
		default:
			return n, numberReason(digits, exponent)
		}
	}
	return n, numberReason(digits, exponent)
}

func numberReason(digits, exponent int) string {
	switch {
	case digits > maxNumberDigits:
		return fmt.Sprintf("must be a number of at most %d digits", maxNumberDigits)
	case exponent > maxNumberExponent:
		return fmt.Sprintf("must be a number with an exponent within ±%d", maxNumberExponent)
	}
	return ""
}

// pathAt names the value of data that holds offset, as ".customer.tags[2]".
func pathAt(data []byte, offset int) string {
	type level struct {
		key   string
		index int // -1 in an object
		isKey bool
	}
	var levels []level
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for len(levels) <= maxArgsDepth {
		token, err := dec.Token()
		if err != nil {
			break
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if n := len(levels); n > 0 {
			l := &levels[n-1]
			if l.index >= 0 {
				l.index++
			} else if l.isKey = !l.isKey; l.isKey {
				l.key, _ = token.(string)
			}
		}
		if dec.InputOffset() > int64(offset) {
			break
		}
		if delim, ok := token.(json.Delim); ok {
			levels = append(levels, level{index: -1})
			if delim == '[' {
				levels[len(levels)-1].index = 0
			}
		}
	}
	var path strings.Builder
	for _, l := range levels {
		if l.index > 0 {
			fmt.Fprintf(&path, "[%d]", l.index-1)
		} else if l.index < 0 && l.key != "" {
			path.WriteString(pathKey(l.key))
		}
		if path.Len() > 200 {
			return strings.ToValidUTF8(path.String()[:200], "") + "…"
		}
	}
	return path.String()
}

// pathKey is a key as part of a path: quoted where it would garble a message.
func pathKey(key string) string {
	key = fmt.Sprintf("%.60s", key)
	if quoted := strconv.Quote(key); len(quoted) > len(key)+2 {
		return "." + quoted
	}
	return "." + key
}

// A textSearch looks for strings that are not valid UTF-8 in what encoding/json
// writes of a value.
type textSearch struct {
	left int // values to look at; ends the search where a type that writes itself has a cycle
}

// broken finds such a string in v and names it.
func (s *textSearch) broken(v reflect.Value, depth int) (path string, found bool) {
	if s.left--; s.left < 0 || depth > 10*maxArgsDepth { // pointers and interfaces count too
		return "", false
	}
	switch v.Kind() {
	case reflect.String:
		return "", !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return s.broken(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, written := jsonName(v.Type().Field(i))
			if !written {
				continue
			}
			if path, found := s.broken(v.Field(i), depth+1); found {
				return name + path, true
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return "", false // a json.RawMessage is checked as JSON, bytes go as base64
		}
		for i := range v.Len() {
			if path, found := s.broken(v.Index(i), depth+1); found {
				return fmt.Sprintf("[%d]%s", i, path), true
			}
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			_, found := s.broken(iter.Key(), depth+1)
			path := ""
			if !found {
				path, found = s.broken(iter.Value(), depth+1)
			}
			if found {
				return pathKey(fmt.Sprint(iter.Key())) + path, true
			}
		}
	}
	return "", false
}

// jsonName is how encoding/json names a field, as part of a path, if it writes it.
func jsonName(f reflect.StructField) (name string, written bool) {
	tag := f.Tag.Get("json")
	name, _, _ = strings.Cut(tag, ",")
	switch {
	case tag == "-", !f.IsExported() && !f.Anonymous:
		return "", false
	case name != "":
		return "." + name, true
	case f.Anonymous:
		return "", true
	}
	return "." + f.Name, true
}
