// Here: "worker report".

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
)

func newReport() *cobra.Command {
	var (
		database  cli.Database
		dir       string
		exportDir string
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Says what became of the orders",
		Long: `Report adds up the database, the ledger and the mailbox of the sandbox in DIR, and
holds them against each other: a processed order has one captured charge of its
amount, and a confirmation or a refusal of its mail; one whose payment failed has no
charge. What does not add up is told on stderr, and the exit code is 1.

It may be asked while work goes on: what is still under way is no problem then.`,
		Example: `  worker report --dir /tmp/sandbox
  worker report --dir /tmp/sandbox --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return cli.Usagef("no folder is named: give --dir, the one of \"worker sandbox\"")
			}
			ctx, release := cli.Interruptible(cmd.Context())
			defer release()
			db, err := openMigrated(ctx, &database)
			if err != nil {
				return err
			}
			defer db.Close()
			return report(ctx, cmd, &books{db: db, sandbox: dir, exportDir: exportDir}, asJSON)
		},
	}
	database.Flags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "the sandbox's `folder`")
	f.StringVar(&exportDir, "export-dir", ".", "the worker's export `folder`")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func report(ctx context.Context, cmd *cobra.Command, b *books, asJSON bool) error {
	a, err := b.account(ctx)
	if err != nil {
		return err
	}
	a.tellProblems(cmd.ErrOrStderr())
	return errors.Join(a.print(cmd.OutOrStdout(), asJSON), a.err())
}

// print writes the account for a program or for a person.
func (a *account) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(a)
	}
	_, err := io.WriteString(w, a.text())
	return err
}

// tellProblems writes what does not add up, and what is still under way.
func (a *account) tellProblems(w io.Writer) {
	for _, p := range a.Problems {
		fmt.Fprintln(w, "problem:", p)
	}
	if more := a.Wrong - len(a.Problems); more > 0 {
		fmt.Fprintf(w, "problem: and %d more\n", more)
	}
	if a.Open > 0 {
		fmt.Fprintf(w, "%d orders are still to be settled or confirmed\n", a.Open)
	}
}
