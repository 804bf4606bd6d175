// Here: the commands, and what holds for all of them.

package main

import (
	"github.com/spf13/cobra"
)

func newRoot(began *bool) *cobra.Command {
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
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := readTwins(cmd); err != nil {
				return err
			}
			*began = true
			return nil
		},
	}
	root.AddCommand(newDemo(), newRun(), newMigrate(), newHealth(), newSandbox(), newLoad(),
		newExport(), newReport())
	for _, cmd := range root.Commands() {
		nameTwins(cmd)
		cmd.Long += "\n\n" + exitCodes(cmd)
	}
	return root
}
