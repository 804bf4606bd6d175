// Package cli is what the programs of this repository have in common: how they
// start, read their flags' environment variables, open a database and end.
package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// A Program is a command line.
type Program struct {
	// Root has the commands. How they print errors and usage is set here.
	Root *cobra.Command

	// Twin returns the environment variable that a flag is read from where it is
	// not given, or "" for none.
	Twin func(flag string) string

	// Code, if set, returns the exit code of an error of the program's own, or 0.
	Code func(error) int
}

// Run runs the command that args name and returns the exit code. What went wrong
// is told on stderr, in one line.
func (p *Program) Run(
	ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	began := false // parsing is over: an error is not one of usage any more
	p.Root.SilenceUsage, p.Root.SilenceErrors = true, true
	p.Root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := p.readTwins(cmd); err != nil {
			return err
		}
		began = true
		return nil
	}
	p.nameTwins(p.Root)
	p.Root.SetArgs(args)
	p.Root.SetIn(stdin)
	p.Root.SetOut(stdout)
	p.Root.SetErr(stderr)
	p.Root.InitDefaultCompletionCmd()
	refuseUnknown(p.Root)
	cmd, err := p.Root.ExecuteContextC(ctx)
	if err != nil && !began {
		err = Usagef("%w; see %q", p.clearer(cmd, err), cmd.CommandPath()+" --help")
	}
	return p.conclude(cmd, err)
}
