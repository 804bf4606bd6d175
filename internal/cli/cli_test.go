package cli_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
)

// An outcome is what a command left.
type outcome struct {
	code           int
	stdout, stderr string
}

// call runs a program that has one of everything.
func call(t *testing.T, args ...string) outcome {
	t.Helper()
	var database string
	root := &cobra.Command{Use: "oar"}
	root.PersistentFlags().StringVar(&database, "database-url", "", "where the boat is")
	boat := &cobra.Command{Use: "boat"}
	boat.AddCommand(&cobra.Command{
		Use: "row", Short: "Rows", SuggestFor: []string{"pull"},
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.Println(database)
			return nil
		},
	})
	root.AddCommand(boat, &cobra.Command{
		Use: "sink", Short: "Sinks", RunE: func(cmd *cobra.Command, _ []string) error {
			cli.Tell(cmd, errors.New("a leak\n\x1b"))
			return &cli.ExitError{Code: cli.CodeConflict}
		},
	})
	p := cli.Program{Root: root, Twin: func(flag string) string {
		if flag == "database-url" {
			return "OAR_TEST_URL"
		}
		return ""
	}}
	var stdout, stderr bytes.Buffer
	code := p.Run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

func TestUnknownCommands(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"snik":        `unknown command "snik", perhaps sink; see "oar --help"`,
		"drift":       `unknown command "drift", there are boat, completion, sink; see "oar --help"`,
		"fly --high":  `unknown command "fly", there are boat, completion, sink; see "oar --help"`,
		"boat pull":   `unknown command "pull", perhaps row; see "oar boat --help"`,
		"boat drift":  `unknown command "drift", there are row; see "oar boat --help"`,
		"boat --fast": `unknown flag: --fast; see "oar boat --help"`,
	} {
		got := call(t, strings.Fields(args)...)
		require.Equal(t, outcome{cli.CodeUsage, "", "oar: " + want + "\n"}, got, args)
	}
}

func TestGroupAloneShowsItsHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"boat"}, {"boat", "--help"}, {"help", "boat"}} {
		got := call(t, args...)
		require.Zero(t, got.code)
		require.Empty(t, got.stderr)
		require.Contains(t, got.stdout, "Usage:\n  oar boat [command]\n")
		require.Regexp(t, `--database-url string +where the boat is \[\$OAR_TEST_URL\]\n`, got.stdout)
		require.Equal(t, 1, strings.Count(got.stdout, "[$"))
	}
}

func TestTwinOfAFlagOfAllCommands(t *testing.T) {
	t.Setenv("OAR_TEST_URL", "lake")
	require.Equal(t, outcome{0, "lake\n", ""}, call(t, "boat", "row"))
	require.Equal(t, outcome{0, "sea\n", ""}, call(t, "--database-url", "sea", "boat", "row"))
	require.Equal(t, outcome{0, "sea\n", ""}, call(t, "boat", "row", "--database-url=sea"))
}

func TestToldErrorIsNotToldAgain(t *testing.T) {
	t.Parallel()
	require.Equal(t, outcome{cli.CodeConflict, "", "oar: a leak \\x1b\n"}, call(t, "sink"))
	require.EqualError(t, &cli.ExitError{Code: 4}, "exit code 4")
}

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, cli.PrintJSON(&b, map[string]string{"text": "<a & b>\n\u202e\u009b"}))
	require.Equal(t, `{"text":"<a & b>\n\u202e\u009b"}`+"\n", b.String())
	require.Error(t, cli.PrintJSON(&b, func() {}))
}

func TestABufferIsNoTerminal(t *testing.T) {
	t.Parallel()
	require.False(t, cli.IsTerminal(new(bytes.Buffer)))
	require.Zero(t, cli.Width(new(bytes.Buffer)))
}
