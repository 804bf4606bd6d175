package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/internal/sandbox"
)

func TestServersThatAreDownAreWarnedOf(t *testing.T) {
	t.Parallel()
	nobody := &sandbox.Sandbox{GatewayURL: "http://127.0.0.1:1", SMTPURL: "smtp://127.0.0.1:1"}
	flags := runFlags(pgtest.URL(pgtest.New(t)), nobody, t.TempDir())
	w := spawn(t, nil, append(flags, "--health-addr", "off")...)
	w.await(w.stderr, "the payment gateway does not answer; start it or correct --gateway-url")
	w.await(w.stderr, "the mail server does not answer; start it or correct --smtp-url")
	w.await(w.stderr, "worker starts")
	w.signal(os.Interrupt)
	require.Zero(t, w.outcome().code)
}

func TestErrorsAreOneLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"migrate"}, "no database is named: give --database-url", cli.CodeUsage},
		{[]string{"migrate", "--database-url", "postgres://127.0.0.1:1/x"}, "start it, or", cli.CodeNoDatabase},
		{[]string{"demo", "--database-url", "postgres://127.0.0.1:1/x"}, "start that", cli.CodeNoDatabase},
		{[]string{"demo", "--out", "no/such/folder"}, "name a folder in one that is there", cli.CodeUsage},
		{[]string{"run"}, "no payment gateway is named", cli.CodeUsage},
	} {
		got := spawn(t, []string{"TMPDIR=" + t.TempDir()}, c.args...).outcome()
		require.Equal(t, c.code, got.code, "%q: %s", c.args, got.stderr)
		require.Regexp(t, `(?m)^worker: [^\n]*`+c.want+`[^\n]*\n\z`, got.stderr)
		require.Empty(t, got.stdout)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://ann:s3cret@127.0.0.1:1/none", "postgres://ann:s3cret@127.0.0.1:x/none",
		"host=127.0.0.1 port=1 user=ann password=s3cret",
	} {
		for _, args := range [][]string{{"migrate"}, {"demo", "--exit", "--out", t.TempDir()}} {
			got := worker(t, append(args, "--database-url", url)...)
			require.NotZero(t, got.code)
			require.NotContains(t, got.stderr, "s3cret")
		}
	}
}
