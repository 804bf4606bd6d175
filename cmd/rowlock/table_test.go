package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	jobs := newTable(&b, "ID", "KIND", "ARGS")
	jobs.width = 30
	for _, args := range []string{
		"", "{}", `{"text":"just so long"}`, `{"text":"a little longer"}`, `{"text":"Grüße, Grüße, Grüße"}`,
		`{"text":"世界世界世界世界世界"}`, "\x1b[31m\x1b[31m\x1b[31m\x1b[31m",
	} {
		require.NoError(t, jobs.add("1", "mail", args))
	}
	require.NoError(t, jobs.flush())
	require.Equal(t, `ID  KIND  ARGS
1   mail
1   mail  {}
1   mail  {"text":"just so lo…
1   mail  {"text":"a little l…
1   mail  {"text":"Grüße, Grü…
1   mail  {"text":"世界世界世…
1   mail  \x1b[31m\x1b[31m\x1…
`, b.String())
	for line := range strings.Lines(b.String()) {
		require.LessOrEqual(t, columns(line)-1, 30)
	}
}

func TestTableShowsSomethingOfTheLastColumn(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	jobs := newTable(&b, "KIND", "ARGS")
	jobs.width = 5
	require.NoError(t, jobs.add("notify_customer", `{"order_id":123456}`))
	require.NoError(t, jobs.flush())
	require.Equal(t, "KIND             ARGS\nnotify_customer  {\"order_id\"…\n", b.String())
}

func TestLongTableIsWrittenInParts(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	jobs := newTable(&b, "ID", "KIND", "ARGS")
	for range tableBatch {
		require.NoError(t, jobs.add("7", "mail", "{}"))
	}
	require.NotEmpty(t, b.String())
	require.NoError(t, jobs.add("7", "notify_customer", "{}"))
	require.NoError(t, jobs.flush())
	require.Equal(t, tableBatch+2, strings.Count(b.String(), "\n"))
	require.True(t, strings.HasSuffix(b.String(), "7   mail  {}\n7   notify_customer  {}\n"))
}

func TestSpan(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 999 * time.Millisecond: "0s", 119 * time.Second: "119s",
		2 * time.Minute: "2m", 2*time.Hour - 1: "119m", 2 * time.Hour: "2h", 2*day - 1: "47h",
		2 * day: "2d", 2*365*day - 1: "729d", 100 * 365 * day: "100y",
	} {
		require.Equal(t, want, span(d), d)
	}
	now := time.Now()
	require.Equal(t, "in 2m", relative(now.Add(2*time.Minute), now))
	require.Equal(t, "0s ago", relative(now, now))
}

func TestArgsThatProgramsCannotRead(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	line, err := json.Marshal(newJob(&queue.JobRow{Args: json.RawMessage(deep)}))
	require.NoError(t, err)
	var read struct{ Args string }
	require.NoError(t, json.Unmarshal(line, &read))
	require.Equal(t, deep, read.Args)
	require.Equal(t, deep, compact(json.RawMessage(deep)))
}

func TestArgsAreIndentedWithinReason(t *testing.T) {
	t.Parallel()
	require.Equal(t, "[\n                \"}]\\\"]]\"\n              ]", pretty([]byte(`["}]\"]]"]`)))
	for _, levels := range []int{101, 9_999, 10_001} {
		deep := strings.Repeat("[", levels) + strings.Repeat("]", levels)
		require.Equal(t, deep, pretty([]byte(deep)))
	}
	require.Equal(t, 100, strings.Count(pretty([]byte(
		strings.Repeat("[", 100)+"1"+strings.Repeat("]", 100))), "\n")/2)
}
