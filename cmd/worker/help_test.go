package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
)

// commands returns all that people call.
func commands() []*cobra.Command { return newRoot().Commands() }

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands() {
		t.Run(cmd.Name(), func(t *testing.T) {
			t.Parallel()
			got := worker(t, cmd.Name(), "--help")
			require.Zero(t, got.code)
			require.Empty(t, got.stderr)
			require.Contains(t, got.stdout, "Examples:")
			require.Contains(t, got.stdout, "Exit codes:\n  0    done\n  1    failed")
			for line := range strings.Lines(cmd.Long) {
				require.LessOrEqual(t, len([]rune(line)), 90, line)
			}
		})
	}
}

func TestHelpNamesTheTwinOfEachFlag(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands() {
		help := worker(t, cmd.Name(), "--help").stdout
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			require.Regexp(t, `(?m)--`+f.Name+` .*\[\$[A-Z][A-Z_]+\]`, help)
		})
	}
	help := worker(t, "run", "--help").stdout
	for _, twin := range []string{
		"DATABASE_URL", "QUEUES", "GATEWAY_URL", "SMTP_URL", "MAIL_FROM", "EXPORT_DIR", "EXPORT_URL",
		"HEALTH_ADDR", "SHUTDOWN_TIMEOUT", "LOG_FORMAT", "LOG_LEVEL",
	} {
		require.Contains(t, help, "[$"+twin+"]")
	}
}

// Conformance 81.
func TestTwinsAreReadAndFlagsWin(t *testing.T) {
	t.Parallel()
	none := []string{"QUEUES=", "LOG_LEVEL=info"} // empty is as good as none
	got := spawn(t, append(none, "LOG_FORMAT=xml"), "run").outcome()
	require.Equal(t, cli.CodeUsage, got.code)
	require.Contains(t, got.stderr, `--log-format is "xml"`)

	got = spawn(t, append(none, "LOG_FORMAT=xml"), "run", "--log-format", "json").outcome()
	require.Equal(t, cli.CodeUsage, got.code)
	require.Contains(t, got.stderr, "no payment gateway is named")

	got = spawn(t, []string{"SHUTDOWN_TIMEOUT=soon"}, "run").outcome()
	require.Equal(t, cli.CodeUsage, got.code)
	require.Contains(t, got.stderr, "worker: SHUTDOWN_TIMEOUT: ")
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"dance"}, `unknown command "dance"`},
		{[]string{"run", "--fast"}, `unknown flag: --fast; see "worker run --help"`},
		{[]string{"run", "now"}, `"now"`},
		{[]string{"run", "--shutdown-timeout", "soon"}, "--shutdown-timeout"},
		{[]string{"load", "--orders", "many"}, "--orders"},
		{[]string{"load"}, "give --orders N to make some, or --orders-file FILE"},
		{[]string{"load", "--orders", "0"}, "--orders is 0, not from 1 to 999999"},
		{[]string{"load", "--orders", "-1"}, "--orders is -1"},
		{[]string{"load", "--orders", "3", "--orders-file", "x"}, "exclude each other"},
		{[]string{"export"}, "accepts 1 arg(s), received 0"},
		{[]string{"export", "orders", "--param", "status"}, "--param"},
		{[]string{"report"}, "give --dir"},
		{[]string{"sandbox"}, "give --dir"},
		{[]string{"sandbox", "--dir", t.TempDir(), "--smtp-port", "70000"}, "not from 0 to 65535"},
		{[]string{"health", "--addr", "9090"}, "give one such as 127.0.0.1:9090"},
		{[]string{"demo", "--orders", "1000000"}, "--orders is 1000000"},
	} {
		got := worker(t, c.args...)
		require.Equal(t, cli.CodeUsage, got.code, "%q: %s", c.args, got.stderr)
		require.Contains(t, got.stderr, c.want)
		require.Regexp(t, `^worker: [^\n]+\n$`, got.stderr, "%q", c.args)
		require.Empty(t, got.stdout)
	}
}
