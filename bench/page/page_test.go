package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files are seen from this folder.
const up = "../"

func TestThePageIsItsData(t *testing.T) {
	const hint = "run \"make bench-page\""
	d, err := load(up + dataDir)
	require.NoError(t, err)
	there, err := os.ReadFile(up + pageFile)
	require.NoError(t, err)
	fresh, err := fill(string(there), d.parts())
	require.NoError(t, err)
	require.Equal(t, fresh, string(there), hint)
	pictures := d.pictures()
	for name, picture := range pictures {
		there, err := os.ReadFile(filepath.Join(up+dataDir, name))
		require.NoError(t, err, hint)
		require.Equal(t, string(picture), string(there), "%s: %s", name, hint)
	}
	drawn, err := filepath.Glob(filepath.Join(up+dataDir, "*.svg"))
	require.NoError(t, err)
	require.Len(t, drawn, len(pictures), "a picture without data: delete it")
}

func TestFillKeepsTheProse(t *testing.T) {
	page := "before\n<!-- a -->\nold\n<!-- end of a -->\nafter\n"
	filled, err := fill(page, map[string]string{"a": "new\n"})
	require.NoError(t, err)
	require.Equal(t, "before\n<!-- a -->\n\nnew\n\n<!-- end of a -->\nafter\n", filled)
	again, err := fill(filled, map[string]string{"a": "new\n"})
	require.NoError(t, err)
	require.Equal(t, filled, again)

	_, err = fill("no place\n", map[string]string{"a": "new\n"})
	require.ErrorContains(t, err, `"<!-- a -->"`)
}

func TestASittingGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	kept := take{Command: "rowlock bench idle --for 3s", Seconds: 3, Result: []byte(`{"seconds":3}`)}
	other := take{Command: "rowlock bench idle --for 5m", Seconds: 300, Result: []byte(`{"seconds":300}`)}
	require.NoError(t, keep(dir, "idle", []take{kept, other, kept}))
	takes, err := read(dir, "idle")
	require.NoError(t, err)
	require.Equal(t, []take{kept, kept}, of(takes, kept.Command), "of another size")
	s := &sitting{dir: dir, log: io.Discard, plan: []measurement{
		{name: "idle", command: kept.Command, times: 2},
	}}
	require.NoError(t, s.takeAll(t.Context()), "there is no program, but nothing is left to do")

	var idle []struct{ Seconds int }
	require.NoError(t, decode(takes, &idle))
	require.Len(t, idle, 3)
	none, err := read(dir, "drain")
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestSpread(t *testing.T) {
	require.Equal(t, spread{2.5, 1, 10}, spreadOf([]float64{10, 3, 1, 2}))
	require.Zero(t, spreadOf(nil))
	require.Equal(t, "1,235 (1–1,234,567)", spread{1234.5, 1, 1234567}.show(whole))
}

func TestBarsHaveTheirPlace(t *testing.T) {
	svg := string(drawBars("a < b", whole, []bar{{"us", spread{50, 25, 100}, true}, {"them", spread{10, 10, 10}, false}}))
	require.Contains(t, svg, "<title>a &lt; b</title>")
	require.Contains(t, svg, `<rect class="ours" x="130.0" y="28.0" width="250.0"`, "half of the longest")
	require.Contains(t, svg, `d="M255.0 36.0H630.0"`, "from the least to the most")
	require.Contains(t, svg, `<rect class="other" x="130.0" y="54.0" width="50.0"`)
}

func TestFlags(t *testing.T) {
	s, err := parse([]string{"--size", "quick", "--only", "idle,drain"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"idle", "drain"}, names(s.plan))
	for _, wrong := range [][]string{{"--size", "huge"}, {"--only", "nothing"}, {"drain"}} {
		_, err := parse(wrong, io.Discard)
		require.Error(t, err, wrong)
	}
}
