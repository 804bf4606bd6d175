// Here: "worker sandbox".

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/sandbox"
)

func newSandbox() *cobra.Command {
	var (
		dir     string
		options sandbox.Options
		log     logOptions
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serves a payment gateway and a mail server to play with",
		Long: `Sandbox serves a payment gateway (HTTP) and a mail server (SMTP) on this machine
until it is stopped. When both listen, it prints one line on stdout, which a shell
can read:

  GATEWAY_URL=http://127.0.0.1:… SMTP_URL=smtp://127.0.0.1:…

In DIR, which it makes if need be, it keeps ledger.jsonl, a line per charge, and
mail/*.eml, which a mail program opens. Started again on the same DIR, it remembers.
One DIR goes with one database.

The card token of an order says what the gateway does: tok_ok charges; tok_declined
declines; tok_outage answers 500 until a retry; tok_500_after_charge charges, but says
500; tok_hang does not answer at first; tok_reset charges and breaks the connection;
tok_slow takes two seconds. Any other token is charged. Recipients at refused.example
are refused for good.`,
		Example: `  worker sandbox --dir /tmp/sandbox
  worker sandbox --dir /tmp/sandbox --gateway-port 8090 --smtp-port 2525`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if options.Logger, err = log.logger(cmd.ErrOrStderr()); err != nil {
				return err
			}
			return serveSandbox(cmd, dir, options)
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "`folder` to remember in")
	f.IntVar(&options.GatewayPort, "gateway-port", 0, "`port` of the gateway; 0 is any")
	f.IntVar(&options.SMTPPort, "smtp-port", 0, "`port` of the mail server; 0 is any")
	log.flags(cmd, "info")
	return cmd
}

func serveSandbox(cmd *cobra.Command, dir string, options sandbox.Options) error {
	ctx, release := cli.Interruptible(cmd.Context())
	defer release()
	if dir == "" {
		return cli.Usagef("no folder is named: give --dir, the folder to remember in")
	}
	for flag, port := range map[string]int{
		"--gateway-port (GATEWAY_PORT)": options.GatewayPort,
		"--smtp-port (SMTP_PORT)":       options.SMTPPort,
	} {
		if port < 0 || port > 65535 {
			return cli.Usagef("%s is %d, not from 0 to 65535", flag, port)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return cli.Usagef("--dir: %w; name a folder whose parent is there", err)
	}
	s, err := sandbox.Start(ctx, dir, options)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "GATEWAY_URL=%s SMTP_URL=%s\n", s.GatewayURL, s.SMTPURL)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return s.Wait()
}
