// Here: environment variables as twins of the flags.

package cli

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nameTwins has the help of the flags of cmd and those below it name their twins.
func (p *Program) nameTwins(cmd *cobra.Command) {
	add := func(f *pflag.Flag) {
		if name := p.Twin(f.Name); name != "" && f.Name != "help" {
			f.Usage += " [$" + name + "]"
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(add)
	cmd.PersistentFlags().VisitAll(add)
	for _, c := range cmd.Commands() {
		p.nameTwins(c)
	}
}

// readTwins sets the flags that were not given. An empty variable is as good as
// none.
func (p *Program) readTwins(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := p.Twin(f.Name)
		if f.Changed || f.Name == "help" || name == "" || err != nil {
			return
		}
		if value := os.Getenv(name); value != "" {
			if bad := cmd.Flags().Set(f.Name, value); bad != nil {
				err = Usagef("%s: %w", name, bad)
			}
		}
	})
	return err
}
