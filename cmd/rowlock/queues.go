// Here: "rowlock queues".

package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

func newQueues(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "queues",
		Short: "Shows how each queue stands",
		Long: `Queues shows each queue that has a job to run or a dead one, a worker or a pause.

  READY      queued and due         SCHEDULED  queued for later, not tried yet
  RUNNING    held by a worker       RETRYING   queued for later, after an attempt
  DEAD       given up               LATENCY    for how long the first ready job is due

Counting stops at 10,000: more is ">10000", and 10001 with --json.` + exitCodes(),
		Example: `  rowlock queues
  rowlock queues --json | jq 'select(.latency_seconds > 60).queue'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return printQueues(ctx, cmd, db, o.json)
			})
		},
	}
}

// A queueStand is how a queue stands, as --json prints it.
type queueStand struct {
	Queue     string  `json:"queue"`
	Ready     int     `json:"ready"`
	Scheduled int     `json:"scheduled"`
	Retrying  int     `json:"retrying"`
	Running   int     `json:"running"`
	Dead      int     `json:"dead"`
	Latency   float64 `json:"latency_seconds"`
	Paused    bool    `json:"paused"`
}

func printQueues(ctx context.Context, cmd *cobra.Command, db *pgxpool.Pool, asJSON bool) error {
	stats, err := new(queue.Client).Stats(ctx, db)
	if err != nil {
		return err
	}
	if len(stats) == 0 {
		cmd.PrintErrln("no queue has a job to run, a dead one, a worker or a pause")
		return nil
	}
	w := cmd.OutOrStdout()
	queues := newTable(w, "QUEUE", "READY", "SCHEDULED", "RETRYING", "RUNNING", "DEAD", "LATENCY",
		"PAUSED")
	for _, s := range stats {
		if asJSON {
			err = cli.PrintJSON(w, queueStand{
				s.Queue, s.Ready, s.Scheduled, s.Retrying, s.Running, s.Dead, seconds(s.Latency),
				s.Paused,
			})
		} else {
			paused := ""
			if s.Paused {
				paused = "paused"
			}
			err = queues.add(s.Queue, count(s.Ready), count(s.Scheduled), count(s.Retrying),
				count(s.Running), count(s.Dead), span(s.Latency), paused)
		}
		if err != nil {
			return err
		}
	}
	if asJSON {
		return nil
	}
	return queues.flush()
}

// countLimit is where counting the jobs of a queue stops.
const countLimit = 10_000

// count is one of a queue's counts for people.
func count(n int) string {
	return tally{n, n > countLimit}.String()
}
