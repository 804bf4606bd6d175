// Here: what stands behind a command.

package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
)

// none is for a command that takes nothing.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("%q takes flags only, and %q is none", cmd.CommandPath(), args[0])
	}
	return nil
}

// some is for a command that takes one or more of what.
func some(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cli.Usagef("give %s", what)
		}
		return nil
	}
}

// jobID returns the id that text is.
func jobID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || strings.HasPrefix(text, "+") {
		return 0, cli.Usagef("%q is no job's id: those are the numbers from 1 to %d",
			text, int64(math.MaxInt64))
	}
	return id, nil
}

// jobIDs returns the ids that texts are.
func jobIDs(texts []string) (ids []int64, err error) {
	for _, text := range texts {
		id, err := jobID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// refuseEmpty returns an error if one of the flags was given as "". A script whose
// variable is empty shall not get what it never asked for.
func refuseEmpty(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return cli.Usagef("--%s is empty: give it a value or leave it out", name)
		}
	}
	return nil
}
