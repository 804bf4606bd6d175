package queue

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Conformance 15.
func TestStorable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "",
		"plain":                    "plain",
		"a\x00b":                   "a\u2400b",
		"a\xff\xfeb":               "a\uFFFDb",
		"\xed\xa0\x80":             "\uFFFD",
		strings.Repeat("é", 20):    strings.Repeat("é", 20),
		strings.Repeat("é", 21):    strings.Repeat("é", 12) + " … (cut)",
		strings.Repeat("\x00", 21): strings.Repeat("\u2400", 12) + " … (cut)",
	} {
		require.Equal(t, want, storable(text, 20), "%q", text)
	}
}

type mute struct{ text *string }

func (m *mute) Error() string { return *m.text }

func TestErrorTextOfAnErrorThatPanics(t *testing.T) {
	t.Parallel()
	require.Equal(t, "told", errorText(errors.New("told")))
	require.Contains(t, errorText((*mute)(nil)), "*queue.mute, whose Error method panicked: ")
	require.Contains(t, errorText(&mute{}), "nil pointer")
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "a\x00\xff", "\xed\xa0\x80", strings.Repeat("\x00", maxStackBytes),
		strings.Repeat("é", maxErrorRunes+1), strings.Repeat("x", maxStackBytes-1) + "€",
		strings.Repeat("\xff\x00", maxErrorRunes), "\xe2\x82",
	} {
		f.Add(seed, uint(1))
		f.Add(seed, uint(maxErrorRunes))
	}
	f.Fuzz(func(t *testing.T, text string, times uint) {
		most := uint(2*maxStackBytes/(len(text)+1) + 1)
		text = strings.Repeat(text, int(times%most))
		for _, stored := range []string{storable(text, maxErrorRunes), storableStack(text)} {
			require.True(t, utf8.ValidString(stored))
			require.NotContains(t, stored, "\x00")
			require.Equal(t, stored, storableText(stored), "doing it again changes nothing")
		}
		require.LessOrEqual(t, utf8.RuneCountInString(storable(text, maxErrorRunes)), maxErrorRunes)
		require.LessOrEqual(t, len(storableStack(text)), maxStackBytes)
		if utf8.ValidString(text) && !strings.Contains(text, "\x00") {
			if utf8.RuneCountInString(text) <= maxErrorRunes {
				require.Equal(t, text, storable(text, maxErrorRunes))
			}
			require.True(t, strings.HasPrefix(text, storableStack(text)))
			require.Greater(t, len(storableStack(text)), min(len(text), maxStackBytes)-utf8.UTFMax)
		}
	})
}
