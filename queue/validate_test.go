package queue

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, reason := range map[string]string{
		"a":                      "",
		"Z9_.:/-":                "",
		strings.Repeat("n", 128): "",
		"":                       "must not be empty",
		strings.Repeat("n", 129): "must have at most 128 bytes, has 129",
		" ":                      "beginning with a letter or digit",
		"_a":                     "beginning with a letter or digit",
		"a b":                    `is "a b"`,
		"a\x00":                  `is "a\x00"`,
		"ä":                      `is "ä"`,
		"a\n":                    `is "a\n"`,
	} {
		got := checkName(name)
		require.Contains(t, got, reason, "%q", name)
		require.Equal(t, reason == "", got == "", "%q: %s", name, got)
	}
}

func TestCheckUnique(t *testing.T) {
	t.Parallel()
	for key, reason := range map[string]string{
		"":                                "",
		" any \u2028 'text' \n":           "",
		strings.Repeat("\u00e9", 128):     "",
		strings.Repeat("x", 257):          "must have at most 256 bytes, has 257",
		strings.Repeat("x", 256) + "\xff": "must have at most 256 bytes, has 257",
		"a\xff":                           `must be valid UTF-8, is "a\xff"`,
		"a\x00":                           `must have no NUL, is "a\x00"`,
	} {
		require.Equal(t, reason, checkUnique(key), "%q", key)
	}
}

func TestCheckJSONAndPathAt(t *testing.T) {
	t.Parallel()
	const nul, half, utf8, deep = "must have no NUL, which jsonb cannot store",
		"must not have half a surrogate pair", "must be valid UTF-8",
		"must not be nested deeper than 100"
	const digits, exponent = "must be a number of at most 64 digits",
		"must be a number with an exponent within ±308"
	for data, want := range map[string]struct{ path, reason string }{
		`null`: {}, `true`: {}, `""`: {}, `[]`: {}, `{}`: {}, `-0`: {}, `1.5e+10`: {},
		`{"a": [1, {"b": "\\u0000"}]}`:   {},
		`"\ud83d\ude00"`:                 {},
		`"\uD83D\uDE00\\"`:               {},
		`"\"\\\/\b\f\n\r\t\u0001"`:       {},
		"\"\U0010FFFF\uFFFD\"":           {},
		strings.Repeat("7", 64) + "e308": {},
		`1e-308`:                         {},
		`0e308`:                          {},
		strings.Repeat("[", 100) + strings.Repeat("]", 100): {},

		`"\u0000"`:         {"", nul},
		`["a", "b\u0000"]`: {"[1]", nul},
		`{"a": "x", "b": {"c": [0, 0, "\u0000"]}}`: {".b.c[2]", nul},
		`{"a": [{}, [], {"b": 1, "c": "\u0000"}]}`: {".a[2].c", nul},
		`[[], [[], ["\u0000"]]]`:                   {"[1][1][0]", nul},
		`{"a": {"b": {}}, "k\u0000": 1}`:           {`."k\x00"`, nul},
		`{"\n": "\u0000"}`:                         {`."\n"`, nul},
		`{"say \"a\"": "\u0000"}`:                  {`."say \"a\""`, nul},
		`{"é": "\u0000"}`:                          {".é", nul},
		`{"": "\u0000"}`:                           {"", nul},
		`"\ud83d"`:                                 {"", half},
		`"\ud83d\ud83d"`:                           {"", half},
		`"\ud83d\n"`:                               {"", half},
		`"\ud83d\ud83d\ude00"`:                     {"", half},
		`"\uDFFF"`:                                 {"", half},
		`"\uDBFFx"`:                                {"", half},
		"[\"\xff\"]":                               {"[0]", utf8},
		"{\"a\": \"\xe2\x82\"}":                    {".a", utf8},
		"\"\xed\xa0\x80\"":                         {"", utf8},
		"\"\xf4\x90\x80\x80\"":                     {"", utf8},
		`{"n": 1e309}`:                             {".n", exponent},
		`[1, 2, -1.0E-309]`:                        {"[2]", exponent},
		`1e99999999999999999999999999`:             {"", exponent},
		`1e00000000000000000000000309`:             {"", exponent},
		strings.Repeat("1", 65):                    {"", digits},
		"0." + strings.Repeat("0", 64):             {"", digits},
		`{"a": ` + strings.Repeat("[", 100) + `1` + strings.Repeat("]", 100) + `}`: {
			".a" + strings.Repeat("[0]", 66), deep,
		},
	} {
		require.True(t, json.Valid([]byte(data)), data)
		offset, reason := checkJSON([]byte(data))
		require.Equal(t, want.reason, reason, data)
		if reason != "" {
			path, _, _ := strings.Cut(pathAt([]byte(data), offset), "…")
			require.True(t, strings.HasPrefix(path, want.path), "%s: %q", data, path)
			require.Len(t, want.path, min(len(path), 200), "%s: %q", data, path)
		}
	}
}

// A path is part of an error message, which is read in a log.
func TestPathStaysShortAndReadable(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("é", 1000)
	data := strings.Repeat(`{"`+key+`":`, 50) + `"\u0000"` + strings.Repeat("}", 50)
	offset, reason := checkJSON([]byte(data))
	require.NotEmpty(t, reason)
	path := pathAt([]byte(data), offset)
	require.True(t, strings.HasPrefix(path, "."+strings.Repeat("é", 60)+"."), path)
	require.LessOrEqual(t, len(path), 200+len("…"))
	require.Equal(t, strings.ToValidUTF8(path, "?"), path)
}

// written holds a string in each place that encoding/json looks at.
type written struct {
	Plain   string
	Tagged  string `json:"t,omitempty"`
	Pointer **string
	Any     any
	List    [2]string
	Map     map[string]map[int]string
	embedded
	Named embedded `json:"n"`
}

type embedded struct{ Inner string }

func TestTextSearchFindsBrokenTextWhereJSONHasIt(t *testing.T) {
	t.Parallel()
	const bad = "a\xff"
	text := bad
	pointer := &text
	for want, v := range map[string]any{
		"":                 bad,
		".Plain":           written{Plain: bad},
		".t":               written{Tagged: bad},
		".Pointer":         &written{Pointer: &pointer},
		".Any[1]":          written{Any: []any{1, bad}},
		".Any.t":           written{Any: &written{Tagged: bad}},
		".List[1]":         written{List: [2]string{"", bad}},
		".Map.k.7":         written{Map: map[string]map[int]string{"k": {7: bad}}},
		`.Map."a\xff"`:     written{Map: map[string]map[int]string{bad: nil}},
		".Inner":           written{embedded: embedded{bad}},
		".n.Inner":         written{Named: embedded{bad}},
		`[0].Any."\n"`:     []written{{Any: map[string]string{"\n": bad}}},
		".Any.Any.List[0]": written{Any: written{Any: written{List: [2]string{bad, ""}}}},
	} {
		search := &textSearch{left: 1000}
		path, found := search.broken(reflect.ValueOf(v), 0)
		require.True(t, found, "%#v", v)
		require.Equal(t, want, path)
	}
}

// graph writes itself, and is not a tree.
type graph struct {
	Left, Right *graph
	Text        string `json:"-"`
	text        string
}

func (*graph) MarshalJSON() ([]byte, error) { return []byte(`"\ufffd"`), nil }
func (*graph) Kind() string                 { return "graph" }

func TestTextSearchEnds(t *testing.T) {
	t.Parallel()
	g := &graph{Text: "\xff", text: "\xff"}
	g.Left, g.Right = g, g
	data, invalid := encodeArgs(g)
	require.Nil(t, invalid, "what is not written is not looked at")
	require.Equal(t, `"\ufffd"`, data)
}

func TestOrTakesWhatIsZeroFromTheOther(t *testing.T) {
	t.Parallel()
	full := With{
		Queue: "q", Priority: 1, MaxAttempts: 2, RunAt: time.Unix(3, 0), Delay: 4, Unique: "u",
	}
	other := With{
		Queue: "p", Priority: 2, MaxAttempts: 3, RunAt: time.Unix(4, 0), Delay: 5, Unique: "v",
	}
	require.Equal(t, full, With{}.or(full))
	require.Equal(t, full, full.or(other))
	require.Equal(t, full, full.or(With{}))
}
