// Here: what a terminal may be sent.

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable returns text in one line that does nothing to a terminal but show.
// Control characters, line breaks, what is invisible or turns the direction of
// writing, and bytes that are no UTF-8 become escapes such as "\x1b" or "\u202e".
func Printable(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1, acts(r) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case acts(r):
			b.WriteString(escaped(r))
		default:
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}

// PrintableJSON does the same to JSON, which stays the same value. Line breaks stay.
func PrintableJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		if acts(r) && r != '\n' {
			b.WriteString(escaped(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// PrintJSON writes v as JSON in one line, in a single write.
func PrintJSON(w io.Writer, v any) error {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, PrintableJSON(b.String()))
	return err
}

// acts reports whether a terminal may do something else with r than show it.
func acts(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// escaped is r in JSON and, unless it is beyond U+FFFF, in Go.
func escaped(r rune) string {
	if r > 0xFFFF {
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
