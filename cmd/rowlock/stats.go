// Here: "rowlock stats".

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

func newStats(o *options) *cobra.Command {
	return &cobra.Command{
		Use:        "stats",
		SuggestFor: []string{"status", "top", "overview"},
		Short:      "Sums up jobs, queues and workers",
		Long: `Stats adds up what "rowlock queues" and "rowlock workers" show. The latency is the
longest of all queues. What wants attention comes last: queues that are paused, and
queues that have ready jobs but no worker that works them.

Counting stops at 10,000 in each queue. Where it did, the sum has a ">" before it, and
"more" is true with --json.` + exitCodes(),
		Example: `  rowlock stats
  rowlock stats --json | jq .latency_seconds`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return printStats(ctx, cmd.OutOrStdout(), db, o.json)
			})
		},
	}
}

// An overview is all queues and workers together, as --json prints it.
type overview struct {
	Ready     int  `json:"ready"`
	Scheduled int  `json:"scheduled"`
	Retrying  int  `json:"retrying"`
	Running   int  `json:"running"`
	Dead      int  `json:"dead"`
	More      bool `json:"more"` // than was counted

	Queues       int     `json:"queues"`
	Workers      int     `json:"workers"`
	Slots        int     `json:"slots"`
	Busy         int     `json:"busy_slots"`
	Latency      float64 `json:"latency_seconds"`
	LatencyQueue string  `json:"latency_queue,omitempty"`

	Paused   []string `json:"paused_queues"`
	Unworked []string `json:"unworked_queues"` // with ready jobs, and no worker for them

	lines []string // for people
}

func printStats(ctx context.Context, w io.Writer, db *pgxpool.Pool, asJSON bool) error {
	var client queue.Client
	queues, err := client.Stats(ctx, db)
	if err != nil {
		return err
	}
	workers, err := client.Workers(ctx, db)
	if err != nil {
		return err
	}
	sum := sumUp(queues, workers)
	if asJSON {
		return cli.PrintJSON(w, sum)
	}
	_, err = io.WriteString(w, strings.Join(sum.lines, "\n")+"\n")
	return err
}

func sumUp(queues []queue.QueueStats, workers []queue.WorkerRow) *overview {
	var ready, scheduled, retrying, running, dead tally
	o := &overview{
		Queues: len(queues), Workers: len(workers), Paused: []string{}, Unworked: []string{},
	}
	for _, w := range workers {
		o.Busy += w.Running
		o.Slots += w.Slots
	}
	worked := workedQueues(workers)
	var latency time.Duration
	for _, q := range queues {
		ready.add(q.Ready)
		scheduled.add(q.Scheduled)
		retrying.add(q.Retrying)
		running.add(q.Running)
		dead.add(q.Dead)
		if q.Paused {
			o.Paused = append(o.Paused, q.Queue)
		}
		if q.Ready > 0 && !worked[q.Queue] {
			o.Unworked = append(o.Unworked, q.Queue)
		}
		if q.Latency > latency {
			latency, o.LatencyQueue = q.Latency, q.Queue
		}
	}
	o.Ready, o.Scheduled, o.Retrying, o.Running, o.Dead =
		ready.n, scheduled.n, retrying.n, running.n, dead.n
	o.More = ready.more || scheduled.more || retrying.more || running.more || dead.more
	o.Latency = seconds(latency)

	o.say("jobs", "%s ready, %s scheduled, %s retrying, %s running, %s dead",
		ready, scheduled, retrying, running, dead)
	o.say("queues", "%d", o.Queues)
	o.say("workers", "%d, with %d of %d slots busy", o.Workers, o.Busy, o.Slots)
	where := ""
	if latency > 0 {
		where = " in " + o.LatencyQueue
	}
	o.say("latency", "%s%s", span(latency), where)
	if len(o.Paused) > 0 {
		o.say("paused", "%s", strings.Join(o.Paused, ", "))
	}
	if len(o.Unworked) > 0 {
		o.say("unworked", "%s", strings.Join(o.Unworked, ", "))
	}
	return o
}

// workedQueues has the queues that a worker works.
func workedQueues(workers []queue.WorkerRow) map[string]bool {
	worked := make(map[string]bool)
	for _, w := range workers {
		for _, name := range w.Queues {
			worked[name] = true
		}
	}
	return worked
}

// say adds a line for people.
func (o *overview) say(name, format string, args ...any) {
	text := cli.Printable(fmt.Sprintf(format, args...))
	o.lines = append(o.lines, fmt.Sprintf("%-8s  %s", name, text))
}

// A tally adds up counts that stop at countLimit + 1.
type tally struct {
	n    int
	more bool
}

func (t *tally) add(n int) {
	t.n += n
	t.more = t.more || n > countLimit
}

// String is the sum for people.
func (t tally) String() string {
	if t.more {
		return ">" + strconv.Itoa(t.n-1)
	}
	return strconv.Itoa(t.n)
}
