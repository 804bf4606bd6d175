// Here: environment variables as twins of the flags.

package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// twin returns the variable that a flag is read from where it is not given. What
// other programs know, or "worker sandbox" prints, has its usual name; the rest is
// marked as ours.
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

// nameTwins has the help of cmd's flags name their twins.
func nameTwins(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		f.Usage += " [$" + twin(f.Name) + "]"
	})
}

// readTwins sets the flags that were not given.
func readTwins(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || err != nil {
			return
		}
		name := twin(f.Name)
		if value := os.Getenv(name); value != "" {
			if bad := cmd.Flags().Set(f.Name, value); bad != nil {
				err = usagef("%s: %w", name, bad)
			}
		}
	})
	return err
}
