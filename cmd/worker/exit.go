// Here: the codes that the program ends with.

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
)

// codeRejected is that of a load which went on without some rows.
const codeRejected = cli.CodeUsage

// exitCodes is what the help of a command ends with.
func exitCodes(cmd *cobra.Command) string {
	failed, wrong := "failed", "wrong usage"
	if cmd.Name() == "demo" || cmd.Name() == "report" {
		failed += ", or an order is not accounted for"
	}
	if cmd.Flags().Lookup("orders-file") != nil {
		wrong += ", or rows of the orders file were rejected while the rest went on"
	}
	lines := []string{"Exit codes:", "  0    done", "  1    " + failed, "  2    " + wrong}
	if cmd.Flags().Lookup("database-url") != nil {
		lines = append(lines, "  5    no database answers")
	}
	return strings.Join(append(lines, "  130  interrupted"), "\n")
}
