// Here: the commands, and what holds for all of them.

package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "worker",
		Short: "Runs the shop's jobs: orders, mails and exports",
		Long: `Worker runs the shop's jobs, which are rows of a Postgres table: it charges orders,
mails confirmations and writes exports.

"worker demo" needs nothing but Go and shows all of it. For a shop that stays:

  worker migrate             makes or updates the tables
  worker sandbox --dir DIR   a payment gateway and a mail server to play with
  worker run                 works jobs until it is stopped
  worker load, export        give it something to do
  worker report              says what became of it

A flag that is not given takes its value from the environment variable that is
named behind it in brackets. An empty variable is as good as none.`,
		Example: `  worker demo
  worker demo --orders 2000 --exit --json`,
	}
	root.AddCommand(newDemo(), newRun(), newMigrate(), newHealth(), newSandbox(), newLoad(),
		newExport(), newReport())
	for _, cmd := range root.Commands() {
		cmd.Long += "\n\n" + exitCodes(cmd)
	}
	return root
}

// twin returns the environment variable that a flag is read from. What other
// programs know, or "worker sandbox" prints, has its usual name; the rest is marked
// as ours.
func twin(flag string) string {
	name := strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	switch flag {
	case "addr":
		return "HEALTH_ADDR"
	case "database-url", "queues", "gateway-url", "gateway-token", "smtp-url", "mail-from",
		"mail-to", "export-dir", "export-url", "health-addr", "shutdown-timeout",
		"log-format", "log-level", "sentry-dsn", "gateway-port", "smtp-port":
		return name
	}
	return "ROWLOCK_" + name
}
