package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// everyCommand calls f with the words of each command and its own part of the tree.
func everyCommand(cmd *cobra.Command, words []string, f func(words []string, cmd *cobra.Command)) {
	f(words, cmd)
	for _, c := range cmd.Commands() {
		everyCommand(c, append(words[:len(words):len(words)], c.Name()), f)
	}
}

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	seen := 0
	everyCommand(newRoot(), nil, func(words []string, cmd *cobra.Command) {
		seen++
		got := call(t, "", append(words, "--help")...)
		require.Zero(t, got.code)
		require.Empty(t, got.stderr)
		require.Regexp(t, `\n\nExit codes:\n  0    done\n  1    failed\n  2    wrong usage\n`, got.stdout)
		require.Contains(t, got.stdout, "\nExamples:\n  rowlock ", words)
		require.NotEmpty(t, cmd.Short)
		if cmd.Name() != "version" {
			require.Contains(t, cmd.Long, "\n  5    no database answers\n  130  interrupted")
		}
		for line := range strings.Lines(got.stdout) {
			require.LessOrEqual(t, utf8.RuneCountInString(line), 91, "%q: %s", words, line)
		}
	})
	require.Equal(t, 30, seen)
}

func TestHelpNamesTheExitCodesOfACommand(t *testing.T) {
	t.Parallel()
	const notFound, conflict = "  3    there is no such job", "  4    the job is in no state for that"
	for command, want := range map[string][]string{
		"":       {notFound, conflict},
		"list":   nil,
		"show":   {notFound},
		"retry":  {notFound, conflict},
		"cancel": {notFound, conflict},
		"delete": {notFound, conflict},
	} {
		help := call(t, "", append(strings.Fields(command), "--help")...).stdout
		for _, line := range []string{notFound, conflict} {
			if want != nil && (line == want[0] || line == want[len(want)-1]) {
				require.Contains(t, help, line, command)
			} else {
				require.NotContains(t, help, line, command)
			}
		}
	}
}

func TestOnlyTheDatabaseIsReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	everyCommand(newRoot(), nil, func(words []string, _ *cobra.Command) {
		help := call(t, "", append(words, "--help")...).stdout
		require.Contains(t, help, "[$DATABASE_URL]\n")
		require.Equal(t, 1, strings.Count(help, "[$"), words)
	})
}
