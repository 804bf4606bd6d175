// Here: a command that there is not.

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// refuseUnknown has each command that only groups others refuse a name that none of
// them has. Cobra does so for the root alone, and else prints help and is content.
func refuseUnknown(root *cobra.Command) {
	// A group runs now, and yet there is nothing to say of how to call it alone.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(),
		"{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}", 1))
	for _, cmd := range root.Commands() {
		if cmd.HasSubCommands() && !cmd.Runnable() {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknown(cmd, args[0])
				}
				return nil
			}
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// clearer returns err, in other words if it is Cobra's of an unknown command.
func (p *Program) clearer(cmd *cobra.Command, err error) error {
	var name string
	if n, _ := fmt.Sscanf(err.Error(), "unknown command %q for", &name); n == 1 && cmd == p.Root {
		return unknown(p.Root, name)
	}
	return err
}

// unknown returns an error that says which command was perhaps meant, or which there
// are.
func unknown(group *cobra.Command, name string) error {
	group.SuggestionsMinimumDistance = 2
	names := group.SuggestionsFor(name)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 0 {
		return fmt.Errorf("unknown command %q, perhaps %s", name, strings.Join(names, " or "))
	}
	for _, cmd := range group.Commands() {
		if cmd.IsAvailableCommand() {
			names = append(names, cmd.Name())
		}
	}
	return fmt.Errorf("unknown command %q, there are %s", name, strings.Join(names, ", "))
}
