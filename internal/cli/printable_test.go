package cli_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
)

func TestPrintableShowsTextAndActsOnNothing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             ``,
		"Grüße, 世界 🦀":                  `Grüße, 世界 🦀`,
		"\x1b]0;mine\x07":              `\x1b]0;mine\x07`, // sets a terminal's title
		"a\u009b31mb":                  `a\u009b31mb`,     // CSI in one character
		"two\nlines\tand\r":            `two\x0alines\x09and\x0d`,
		"invoice\u202efdp.exe":         `invoice\u202efdp.exe`, // would read "invoiceexe.pdf"
		"zero\u200bwidth\ufeff":        `zero\u200bwidth\ufeff`,
		"broken \xff\xc3":              `broken \xff\xc3`,
		"\u2028\u2029\U000e0041\ue000": `\u2028\u2029\udb40\udc41\ue000`,
	} {
		require.Equal(t, want, cli.Printable(text))
	}
}

func TestPrintableJSONStaysTheValue(t *testing.T) {
	t.Parallel()
	value := "\x1b[31m \u009b \u202e \u2028 \U000e0041 ü 🦀 \\ \" \x7f"
	plain, err := json.Marshal(value)
	require.NoError(t, err)
	printable := cli.PrintableJSON(string(plain))
	require.Equal(t, `"\u001b[31m \u009b \u202e \u2028 \udb40\udc41 ü 🦀 \\ \" \u007f"`, printable)
	var again string
	require.NoError(t, json.Unmarshal([]byte(printable), &again))
	require.Equal(t, value, again)
}
