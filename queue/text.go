// Here: text that comes from users' code and goes into the database. Postgres
// refuses NUL and broken UTF-8, and one refused text would hold up a whole batch.

package queue

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxErrorRunes = 10_000
	maxStackBytes = 16 << 10
)

// errorText is err.Error(), also where that panics, as methods of a nil pointer do, or
// calls runtime.Goexit, which would end the caller's goroutine.
func errorText(err error) (text string) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		text = fmt.Sprintf("error of type %T, whose Error method calls runtime.Goexit", err)
		defer func() {
			if p := recover(); p != nil {
				text = fmt.Sprintf("error of type %T, whose Error method panicked: %v", err, p)
			}
		}()
		text = err.Error()
	}()
	<-said
	return text
}

// storable makes s valid UTF-8 without NUL, of at most limit runes.
func storable(s string, limit int) string {
	s = storableText(s)
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	note := " … (cut)"
	keep := limit - utf8.RuneCountInString(note)
	for i := range s {
		if keep == 0 {
			return s[:i] + note
		}
		keep--
	}
	return s
}

// storableStack is storable for a stack trace, whose limit is in bytes.
func storableStack(stack string) string {
	stack = storableText(stack)
	if len(stack) <= maxStackBytes {
		return stack
	}
	end := maxStackBytes
	for !utf8.RuneStart(stack[end]) {
		end--
	}
	return stack[:end]
}

// storableText replaces what Postgres refuses.
func storableText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\u2400")
}
