// Here: "rowlock workers".

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

func newWorkers(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "workers",
		Short: "Shows the workers that live",
		Long: `Workers shows the workers that live, as their last heartbeat left them.

RUNNING is how many jobs a worker runs, of how many it can. UP is for how long it has
run, SILENT how long ago its heartbeat was. There is one each second: a worker that is
silent for long is cut off or dead, and is listed until another worker has found out.` +
			exitCodes(),
		Example: `  rowlock workers
  rowlock workers --json | jq 'select(.silent_seconds > 5).name'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return printWorkers(ctx, cmd, db, o.json)
			})
		},
	}
}

// A worker is one that lives, as --json prints it.
type worker struct {
	Name      string    `json:"name"`
	Queues    []string  `json:"queues"`
	Running   int       `json:"running"`
	Slots     int       `json:"slots"`
	StartedAt time.Time `json:"started_at"`
	Silent    float64   `json:"silent_seconds"`
}

func printWorkers(ctx context.Context, cmd *cobra.Command, db *pgxpool.Pool, asJSON bool) error {
	rows, err := new(queue.Client).Workers(ctx, db)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		cmd.PrintErrln("no worker lives, and jobs wait for one")
		return nil
	}
	w := cmd.OutOrStdout()
	workers := newTable(w, "NAME", "RUNNING", "UP", "SILENT", "QUEUES")
	for _, r := range rows {
		if asJSON {
			err = cli.PrintJSON(w, worker{
				r.Name, r.Queues, r.Running, r.Slots, r.StartedAt.UTC(), seconds(r.Silent),
			})
		} else {
			err = workers.add(r.Name, fmt.Sprintf("%d/%d", r.Running, r.Slots),
				span(time.Since(r.StartedAt)), span(r.Silent), strings.Join(r.Queues, ", "))
		}
		if err != nil {
			return err
		}
	}
	if asJSON {
		return nil
	}
	return workers.flush()
}
