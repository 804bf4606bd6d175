package queue_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// FuzzArgs looks for args that validation lets through and Postgres refuses, or
// does not give back as they were.
func FuzzArgs(f *testing.F) {
	for _, seed := range []struct{ raw, text string }{
		{`null`, ""},
		{`{"a": [1, -2.50, true, {"b": "\u00e9"}]}`, "plain"},
		{`"\ud83d\ude00"`, "\uFFFD"},
		{`"\ufffd"`, "\xff"},
		{`"\u0000"`, "\x00"},
		{`"\ud83d"`, "a\xffb"},
		{`"\ude00"`, "\ufeff"},
		{`{"\ud83d\u0041": 1}`, "\U0010FFFF"},
		{`1e308`, ""},
		{`-1E-308`, ""},
		{`1e309`, ""},
		{`1e100000`, ""},
		{`0e0`, ""},
		{`-0.0`, ""},
		{strings.Repeat("9", 64), ""},
		{strings.Repeat("9", 65), ""},
		{`12345678901234567890.5`, ""},
		{strings.Repeat("[", 99) + strings.Repeat("]", 99), ""},
		{strings.Repeat("[", 100) + strings.Repeat("]", 100), ""},
		{`{"a": 1, "a": {"b": 2, "b": 3}}`, ""},
		{"\"\xed\xa0\x80\"", ""},
		{`"\\u0000"`, "\\u0000"},
		{"\"\u2028\"", "<&>"},
		{`"\/"`, "\u007f"},
		{` [ ] `, ""},
		{`{"": ""}`, ""},
		{`[1,]`, ""},
	} {
		f.Add([]byte(seed.raw), seed.text)
	}
	db := pgtest.New(f)
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		args := Doc{Raw: raw, Text: text}
		var q queue.Client
		made, err := q.Insert(t.Context(), db, args)
		var invalid *queue.InvalidError
		if errors.As(err, &invalid) {
			require.NotEmpty(t, invalid.Reason)
			require.True(t, strings.HasPrefix(invalid.Field, "Args"), invalid.Field)
			return
		}
		require.NoError(t, err)
		job, err := q.Get(t.Context(), db, made.ID)
		require.NoError(t, err)
		want, err := json.Marshal(args)
		require.NoError(t, err)
		require.Equal(t, exact(t, want), exact(t, job.Args))
	})
}

// exact decodes JSON with its numbers as fractions.
func exact(t *testing.T, data []byte) any {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	require.NoError(t, dec.Decode(&v))
	_, err := dec.Token()
	require.ErrorIs(t, err, io.EOF)
	return fractions(t, v)
}

func fractions(t *testing.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		require.True(t, ok, v)
		return r.String()
	case []any:
		for i := range v {
			v[i] = fractions(t, v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = fractions(t, v[k])
		}
	}
	return v
}
