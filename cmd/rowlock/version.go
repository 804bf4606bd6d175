// Here: "rowlock version".

package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
)

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Says which version this is",
		Long: `Version prints the version of this program, the commit it was built from, and the Go
it was built with, as far as they are known. It needs no database.

Exit codes:
  0    done
  1    failed
  2    wrong usage`,
		Example: `  rowlock version
  rowlock version --json`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.json {
				return cli.PrintJSON(cmd.OutOrStdout(), readBuild())
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
}

// A build is what is known of this program, as --json prints it.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified"` // since that revision
	Go       string `json:"go"`
}

func readBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{Version: "unknown"}
	}
	b := build{Version: info.Main.Version, Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	return b
}

func versionLine() string {
	b := readBuild()
	line := "rowlock " + b.Version
	if b.Revision != "" {
		line += ", commit " + b.Revision
		if b.Modified {
			line += " with changes"
		}
	}
	return line + ", " + b.Go
}
