// Here: "rowlock list".

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

// listLimit is how many jobs people get if they do not say.
const listLimit = 20

// A listing is what is to be listed.
type listing struct {
	filter queue.Filter
	limit  int // 0 means all
	json   bool
}

func newList(o *options) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:        "list",
		SuggestFor: []string{"ls", "jobs"},
		Short:      "Lists jobs, the newest first",
		Long: `List shows jobs, the newest first, live and finished ones together.

ATTEMPT is how many runs of how many the job has had, the one under way included. WHEN
says, of a queued job, in what time it may run or for how long it has been due; of a
running one, for how long it has run; of any other, when it ended. A job that was
scheduled, or waits after a failure, is queued with its time still ahead.

On a terminal, ARGS is cut to its width; "rowlock show ID" has all of it. Where the
limit cuts the list, stderr has the command that goes on.` + exitCodes(),
		Example: `  rowlock list
  rowlock list --state dead --kind notify_customer
  rowlock list --queue exports --limit 100
  rowlock list --state dead --json | jq .id | xargs -r rowlock retry`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := l.check(cmd); err != nil {
				return err
			}
			if l.json = o.json; o.json && !cmd.Flags().Changed("limit") {
				l.limit = 0
			}
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return l.print(ctx, cmd, db)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.filter.Kind, "kind", "", "only jobs of this `kind`")
	f.StringVar(&l.filter.Queue, "queue", "", "only jobs of this `queue`")
	f.StringVar((*string)(&l.filter.State), "state", "",
		"only `state`: "+strings.Join(states(), ", "))
	f.Int64Var(&l.filter.Before, "before", 0, "only jobs with an `id` below this one")
	f.IntVar(&l.limit, "limit", listLimit,
		"at most `N` jobs; 0 means all, as --json does by itself")
	_ = cmd.RegisterFlagCompletionFunc("state",
		cobra.FixedCompletions(states(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// states are those that a job can be in.
func states() []string {
	return []string{
		string(queue.StateQueued), string(queue.StateRunning), string(queue.StateDead),
		string(queue.StateCompleted), string(queue.StateCancelled), string(queue.StateDiscarded),
	}
}

// check refuses what no job can match, rather than find nothing.
func (l *listing) check(cmd *cobra.Command) error {
	if err := refuseEmpty(cmd, "kind", "queue", "state"); err != nil {
		return err
	}
	f := l.filter
	switch {
	case f.State == "scheduled" || f.State == "retrying":
		return cli.Usagef("--state is %q: such jobs are queued, with their time ahead", f.State)
	case f.State != "" && !slices.Contains(states(), string(f.State)):
		return cli.Usagef("--state is %q, not one of %s", f.State, strings.Join(states(), ", "))
	case f.Before < 1 && cmd.Flags().Changed("before"):
		return cli.Usagef("--before is %d: job ids begin with 1", f.Before)
	case l.limit < 0:
		return cli.Usagef("--limit is %d: give how many jobs, or 0 for all", l.limit)
	}
	return nil
}

func (l *listing) print(ctx context.Context, cmd *cobra.Command, db *pgxpool.Pool) error {
	w := cmd.OutOrStdout()
	jobs := newTable(w, "ID", "KIND", "QUEUE", "STATE", "ATTEMPT", "WHEN", "ARGS")
	var (
		client  queue.Client
		printed int
		last    int64
		more    bool
	)
	for row, err := range client.List(ctx, db, l.filter) {
		if invalid, ok := errors.AsType[*queue.InvalidError](err); ok {
			return cli.Usagef("--%s %s", strings.ToLower(invalid.Field), invalid.Reason)
		}
		if err != nil {
			return err
		}
		if more = l.limit > 0 && printed == l.limit; more {
			break
		}
		if printed, last = printed+1, row.ID; l.json {
			err = cli.PrintJSON(w, newJob(row))
		} else {
			err = jobs.add(strconv.FormatInt(row.ID, 10), row.Kind, row.Queue, string(row.State),
				fmt.Sprintf("%d/%d", row.Attempt, row.MaxAttempts), when(row, time.Now()),
				compact(row.Args))
		}
		if err != nil {
			return err
		}
	}
	if printed > 0 && !l.json {
		if err := jobs.flush(); err != nil {
			return err
		}
	}
	switch {
	case printed == 0:
		cmd.PrintErrln("no job matches")
	case more:
		cmd.PrintErrln("more: " + l.next(last))
	}
	return nil
}

// next is the command that lists what follows the job with the id last. Kinds and
// queues that have jobs need no quotes.
func (l *listing) next(last int64) string {
	words := []string{"rowlock list"}
	for _, flag := range [][2]string{
		{"--kind", l.filter.Kind}, {"--queue", l.filter.Queue}, {"--state", string(l.filter.State)},
	} {
		if flag[1] != "" {
			words = append(words, flag[0], flag[1])
		}
	}
	if l.json {
		words = append(words, "--json")
	}
	if l.json || l.limit != listLimit {
		words = append(words, "--limit", strconv.Itoa(l.limit))
	}
	return strings.Join(append(words, "--before", strconv.FormatInt(last, 10)), " ")
}
