// Here: "worker export".

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/queue"
)

func newExport() *cobra.Command {
	var (
		database cli.Database
		params   map[string]string
		mailTo   string
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "export QUERY",
		Short: "Asks for a file of orders or payments",
		Long: `Export asks for the rows of a registered query to be written to a CSV file, and
prints the export's number. A running worker writes the file into its --export-dir
and has the link mailed; "worker report" says what became of it.

` + queryList(),
		Example: `  worker export orders --param status=processed --param since=2026-11-01
  worker export payments --mail-to books@shop.example --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, release := cli.Interruptible(cmd.Context())
			defer release()
			db, err := openMigrated(ctx, &database)
			if err != nil {
				return err
			}
			defer db.Close()
			export := &exports.Export{Query: args[0], Params: params, MailTo: mailTo}
			if err := requestExport(ctx, db, export); err != nil {
				return err
			}
			return printExport(cmd.OutOrStdout(), export, asJSON)
		},
	}
	database.Flags(cmd.Flags())
	f := cmd.Flags()
	f.StringToStringVar(&params, "param", nil, "`name=value` of a parameter; repeatable")
	f.StringVar(&mailTo, "mail-to", defaultMailFrom, "`address` that gets the link")
	f.BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// queryList tells what can be exported.
func queryList() string {
	var b strings.Builder
	b.WriteString("Queries and their parameters:\n")
	for _, q := range exports.Queries() {
		fmt.Fprintf(&b, "\n  %-10s %s\n", q.Name, q.About)
		for _, p := range q.Params {
			about := p.About + ": a date or an RFC 3339 time"
			if p.Choices != nil {
				about = p.About + ": " + strings.Join(p.Choices, ", ")
			}
			fmt.Fprintf(&b, "    %-8s %s\n", p.Name, about)
		}
	}
	return strings.TrimSpace(b.String())
}

// requestExport stores e and its job in one transaction.
func requestExport(ctx context.Context, db *pgxpool.Pool, e *exports.Export) error {
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		return jobs.RequestExport(ctx, tx, &queue.Client{}, e)
	})
	if _, ok := errors.AsType[*exports.InvalidError](err); ok {
		return &cli.ExitError{Code: cli.CodeUsage, Err: err}
	}
	return err
}

func printExport(w io.Writer, e *exports.Export, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			ID     int64          `json:"id"`
			Status exports.Status `json:"status"`
		}{e.ID, e.Status})
	}
	_, err := fmt.Fprintf(w, "export %d of %s is pending\n", e.ID, e.Query)
	return err
}
