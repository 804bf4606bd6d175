package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// Doc has room for what JSON can say.
type Doc struct {
	Any  any             `json:"any,omitempty"`
	Raw  json.RawMessage `json:"raw,omitempty"`
	Text string          `json:"text,omitempty"`
	Sub  *Doc            `json:"sub,omitempty"`
	List []Doc           `json:"list,omitempty"`

	Hidden any `json:"-"`
	own    any
}

func (Doc) Kind() string { return "doc" }

// named is of any kind.
type named string

func (n named) Kind() string { return string(n) }

// failing cannot be written as JSON.
type failing struct{}

func (failing) Kind() string                 { return "failing" }
func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("no words for it") }

func raw(s string) queue.Args { return Doc{Raw: json.RawMessage(s)} }

// nested is n arrays in each other, and text in the innermost.
func nested(n int, text string) any {
	v := any(text)
	for range n {
		v = []any{v}
	}
	return v
}

// A badJob must be refused for the reason that has these words, at this field.
type badJob struct {
	args   queue.Args
	field  string
	reason string
}

// badJobs are what Postgres would refuse, inflate or choke on, by what is wrong.
func badJobs() map[string]badJob {
	itself := &queue.With{}
	itself.Args = itself
	jobs := map[string]badJob{
		"nil":               {nil, "Args", "nil"},
		"a nil pointer":     {(*Audit)(nil), "Args", "nil"},
		"a nil With":        {(*queue.With)(nil), "Args", "nil"},
		"a With of nothing": {queue.With{}, "Args", "nil"},
		"Withs of nothing":  {queue.With{Args: queue.With{Queue: "q"}}, "Args", "nil"},
		"a With of nil":     {queue.With{Args: (*Audit)(nil)}, "Args", "nil"},
		"a With of itself":  {itself, "Args", "holds itself"},
		"no kind":           {named(""), "Kind", "empty"},
	}
	for what, bad := range badWiths() {
		bad.with.Args = Note{}
		jobs[what] = badJob{bad.with, bad.field, bad.reason}
	}
	for what, name := range map[string]string{
		"a blank": " ", "a blank inside": "a b", "a dash first": "-a", "no ASCII": "é",
		"a NUL": "a\x00", "broken UTF-8": "a\xff", "a quote": "a'b", "a line break": "a\n",
		"too many bytes": strings.Repeat("a", 129),
	} {
		jobs["a kind of "+what] = badJob{named(name), "Kind", "must"}
		jobs["a queue of "+what] = badJob{queue.With{Args: Note{}, Queue: name}, "Queue", "must"}
	}
	for what, bad := range badArgs() {
		jobs["args with "+what] = bad
	}
	for what, bad := range badJSON() {
		jobs["args with "+what] = badJob{raw(bad.raw), "Args.raw" + bad.path, bad.reason}
	}
	return jobs
}

type badWith struct {
	with          queue.With
	field, reason string
}

func badWiths() map[string]badWith {
	const over = "before the year 10000"
	last, wrapping := lastMicrosecond, time.Unix(math.MaxInt64, 0)
	afterLast, longKey := last.Add(time.Microsecond), strings.Repeat("é", 129)
	return map[string]badWith{
		"a low priority":        {queue.With{Priority: -1}, "Priority", "from 1 to 4, is -1"},
		"a high priority":       {queue.With{Priority: 5}, "Priority", "from 1 to 4, is 5"},
		"a wrapping priority":   {queue.With{Priority: 1<<16 + 1}, "Priority", "is 65537"},
		"negative attempts":     {queue.With{MaxAttempts: -3}, "MaxAttempts", "1 to 1000, is -3"},
		"too many attempts":     {queue.With{MaxAttempts: 1001}, "MaxAttempts", "is 1001"},
		"wrapping attempts":     {queue.With{MaxAttempts: 1<<16 + 1}, "MaxAttempts", "is 65537"},
		"a long key":            {queue.With{Unique: longKey}, "Unique", "has 258"},
		"a key with a NUL":      {queue.With{Unique: "a\x00b"}, "Unique", "NUL"},
		"a key of broken UTF-8": {queue.With{Unique: "a\xff"}, "Unique", "UTF-8"},
		"the year 10000":        {queue.With{RunAt: afterLast}, "RunAt", over},
		"a delay into it":       {queue.With{RunAt: last, Delay: 1000}, "RunAt", over},
		"a far time":            {queue.With{RunAt: time.Unix(math.MaxInt64/2, 0)}, "RunAt", over},
		"a wrapping time":       {queue.With{RunAt: wrapping}, "RunAt", over},
	}
}

const (
	notUTF8   = "must be valid UTF-8"
	tooDeep   = "nested deeper than 100"
	hasNUL    = "NUL"
	surrogate = "surrogate"
	badNumber = "number"
)

func badArgs() map[string]badJob {
	cyclic := &Doc{}
	cyclic.Sub = cyclic
	tooLong := Doc{Text: strings.Repeat("x", 1<<20-len(`{"text":""}`)+1)}
	deepNUL := Doc{List: []Doc{{}, {Sub: &Doc{Text: "\x00"}}}}
	brokenKey, nulKey := map[string]int{"a\xff": 1}, map[string]int{"a\x00": 1}
	brokenElement := Doc{List: []Doc{{}, {Text: "\xff"}}}
	brokenValue := map[string]any{"k": []string{"", "\xff"}}
	return map[string]badJob{
		"a channel":              {Doc{Any: make(chan int)}, "Args", "queue_test.Doc"},
		"a function":             {Doc{Any: func() {}}, "Args", "queue_test.Doc"},
		"NaN":                    {Doc{Any: math.NaN()}, "Args", "NaN"},
		"an infinity":            {Doc{Any: math.Inf(1)}, "Args", "Inf"},
		"a cycle":                {cyclic, "Args", "cycle"},
		"no words":               {failing{}, "Args", "no words for it"},
		"half JSON":              {raw(`{"a":`), "Args", "JSON"},
		"a byte over 1 MiB":      {tooLong, "Args", "1048576 bytes as JSON, has 1048577"},
		"101 levels":             {Doc{Any: nested(100, "")}, "Args.any[0][0]", tooDeep},
		"a thousand levels":      {Doc{Any: nested(1000, "")}, "Args.any[0][0]", tooDeep},
		"a NUL":                  {Doc{Text: "a\x00"}, "Args.text", hasNUL},
		"a NUL in a key":         {Doc{Any: nulKey}, `Args.any."a\x00"`, hasNUL},
		"a deep NUL":             {deepNUL, "Args.list[1].sub.text", hasNUL},
		"broken UTF-8":           {Doc{Text: "a\xff"}, "Args.text", notUTF8},
		"half a letter":          {Doc{Text: "é"[:1]}, "Args.text", notUTF8},
		"broken UTF-8 in a key":  {Doc{Any: brokenKey}, `Args.any."a\xff"`, notUTF8},
		"broken UTF-8 in a map":  {Doc{Any: brokenValue}, "Args.any.k[1]", notUTF8},
		"broken UTF-8 in a list": {brokenElement, "Args.list[1].text", notUTF8},
		"broken UTF-8 far in":    {Doc{Any: nested(99, "\xff")}, "Args.any[0][0]", notUTF8},
		"a json.Number":          {Doc{Any: json.Number("1e400")}, "Args.any", badNumber},
	}
}

type badText struct{ raw, path, reason string }

func badJSON() map[string]badText {
	objects := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	return map[string]badText{
		"101 objects":             {objects, ".a.a", tooDeep},
		"a raw NUL":               {`"\u0000"`, "", hasNUL},
		"a high surrogate":        {`"\ud83d"`, "", surrogate},
		"a low surrogate":         {`["a", "\ude00"]`, "[1]", surrogate},
		"surrogates reversed":     {`"\ude00\ud83d"`, "", surrogate},
		"two high surrogates":     {`"\uD83D\uD83D\uDE00"`, "", surrogate},
		"a high one, a letter":    {`"\ud83dx\ude00"`, "", surrogate},
		"a high one, a tab":       {`"\ud83d\t"`, "", surrogate},
		"a surrogate in a key":    {`{"\ud83d": 1}`, ".\uFFFD", surrogate},
		"raw broken UTF-8":        {"\"a\xff\"", "", notUTF8},
		"a raw surrogate":         {"\"a\xed\xa0\x80\"", "", notUTF8},
		"1e100000":                {`1e100000`, "", badNumber},
		"1E+309":                  {`[1, {"n": 1E+309}]`, "[1].n", badNumber},
		"1e-309":                  {`1e-309`, "", badNumber},
		"an exponent that wraps":  {`1e18446744073709551617`, "", badNumber},
		"65 digits":               {strings.Repeat("9", 65), "", badNumber},
		"65 digits after a point": {"-0." + strings.Repeat("0", 63) + "1", "", badNumber},
	}
}

// A deafTx lets nothing through.
type deafTx struct {
	pgx.Tx
	heard []string
}

var errDeaf = errors.New("something was sent")

func (tx *deafTx) Exec(_ context.Context, sql string, _ ...any) (pgconn.CommandTag, error) {
	tx.heard = append(tx.heard, sql)
	return pgconn.CommandTag{}, errDeaf
}

func (tx *deafTx) Query(_ context.Context, sql string, _ ...any) (pgx.Rows, error) {
	tx.heard = append(tx.heard, sql)
	return nil, errDeaf
}

func (tx *deafTx) QueryRow(_ context.Context, sql string, _ ...any) pgx.Row {
	tx.heard = append(tx.heard, sql)
	return deafRow{}
}

type deafRow struct{}

func (deafRow) Scan(...any) error { return errDeaf }

// Conformance 35, 37, 139, 140 and 170.
func TestBadJobIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	var q queue.Client
	for what, bad := range badJobs() {
		t.Run(what, func(t *testing.T) {
			tx := &deafTx{}
			made, err := q.Insert(t.Context(), tx, bad.args)
			require.Empty(t, tx.heard)
			require.Zero(t, made)
			requireInvalid(t, bad, err)
		})
	}
}

// requireInvalid checks the error that bad was refused with.
func requireInvalid(t *testing.T, bad badJob, err error) {
	t.Helper()
	var invalid *queue.InvalidError
	require.ErrorAs(t, err, &invalid)
	// The path of what is deep goes on for long.
	if !strings.HasSuffix(bad.field, "[0][0]") && !strings.HasSuffix(bad.field, ".a.a") {
		require.Equal(t, bad.field, invalid.Field)
	}
	require.True(t, strings.HasPrefix(invalid.Field, bad.field), invalid.Field)
	require.Contains(t, invalid.Reason, bad.reason)
	require.Contains(t, err.Error(), invalid.Field+" "+invalid.Reason)
	require.Less(t, len(err.Error()), 1000)
}

func TestTransactionLivesOnAfterABadJob(t *testing.T) {
	b := setup(t)
	tx := b.begin(pgx.TxOptions{})
	for what, bad := range badJobs() {
		_, err := b.q.Insert(t.Context(), tx, bad.args)
		require.Error(t, err, what)
	}
	_, err := b.q.Insert(t.Context(), tx, Note{Text: "good"})
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{"good"}, b.live())
	require.Equal(t, 1, value[int](b, `SELECT count(*) FROM jobs`))
}

// Conformance 38.
func TestJobAtTheLimitsIsStored(t *testing.T) {
	b := setup(t)
	longest := strings.Repeat("a", 128)
	cyclic := &Doc{}
	cyclic.Hidden, cyclic.own = cyclic, "\xff"
	for what, args := range map[string]queue.Args{
		"the longest kind":   named(longest),
		"the longest queue":  queue.With{Args: Note{}, Queue: longest},
		"all letters":        named("Aa0_.:/-z"),
		"one letter":         named("0"),
		"the longest key":    queue.With{Args: Note{}, Unique: strings.Repeat("é", 128)},
		"any key":            queue.With{Args: Note{}, Unique: " '\"\\\n\u2028\U0010FFFF"},
		"most attempts":      queue.With{Args: Note{}, MaxAttempts: 1000, Priority: 4},
		"fewest attempts":    queue.With{Args: Note{}, MaxAttempts: 1, Priority: 1},
		"1 MiB":              Doc{Text: strings.Repeat("x", 1<<20-len(`{"text":""}`))},
		"100 levels":         Doc{Any: nested(99, "")},
		"64 digits":          raw("-0." + strings.Repeat("9", 63)),
		"the largest number": raw(strings.Repeat("9", 64) + "e308"),
		"the smallest":       raw("-1E-308"),
		"a whole pair":       raw(`"\ud83d\ude00 \uD83D\uDE00"`),
		"no NUL":             raw(`"\\u0000 \\\\u0000"`),
		"U+FFFD":             Doc{Text: "\uFFFD", Raw: json.RawMessage(`"\ufffd"`)},
		"what is not stored": Doc{Hidden: cyclic, own: "\xff", Raw: json.RawMessage(`"\ufffd"`)},
		"bytes":              Doc{Any: []byte("\xff\x00"), Raw: json.RawMessage(`"\ufffd"`)},
		"all of Unicode":     Doc{Text: "\x01\x7f\u0080\ud7ff\ue000\uffff\U0010FFFF<>&\u2028"},
		"a nil map":          Doc{Any: map[string]any(nil)},
	} {
		made, err := b.q.Insert(t.Context(), b.db, args)
		require.NoError(t, err, what)
		job, err := b.q.Get(t.Context(), b.db, made.ID)
		require.NoError(t, err, what)
		for {
			with, ok := args.(queue.With)
			if !ok {
				break
			}
			args = with.Args
		}
		want, err := json.Marshal(args)
		require.NoError(t, err, what)
		if !strings.Contains(what, "number") && !strings.Contains(what, "smallest") {
			require.JSONEq(t, string(want), string(job.Args), what)
		}
	}
}
