// Here: "rowlock show".

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

func newShow(o *options) *cobra.Command {
	return &cobra.Command{
		Use:        "show ID",
		SuggestFor: []string{"get", "info", "inspect"},
		Short:      "Shows a job with its arguments and failures",
		Long: `Show prints all there is about a job: where it stands, its arguments, and each failed
attempt with its error and, if the handler panicked, its stack, oldest first. Runs that
ended because their process did are counted as lost, and are no failures.

Finished jobs are kept for a week, unless the workers are set otherwise. Dead ones are
kept until someone acts.` + exitCodes(cli.CodeNotFound),
		Example: `  rowlock show 42
  rowlock show 42 --json | jq -r '.failures[].error'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("give the id of one job, as in %q", "rowlock show 42")
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobID(args[0])
			if err != nil {
				return err
			}
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return show(ctx, cmd.OutOrStdout(), db, id, o.json)
			})
		},
	}
}

// A shownJob is all of a job, as --json prints it.
type shownJob struct {
	job
	Failures []failure `json:"failures"`
}

// A failure is an attempt that went wrong, as --json prints it.
type failure struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Worker  string    `json:"worker,omitempty"`
	Error   string    `json:"error"`
	Stack   string    `json:"stack,omitempty"`
}

func show(ctx context.Context, w io.Writer, db *pgxpool.Pool, id int64, asJSON bool) error {
	var client queue.Client
	row, err := client.Get(ctx, db, id)
	if errors.Is(err, queue.ErrNotFound) {
		return notThere(id)
	}
	if err != nil {
		return err
	}
	failures, err := client.Failures(ctx, db, id)
	if err != nil {
		return err
	}
	if !asJSON {
		_, err := io.WriteString(w, describe(row, failures, time.Now()))
		return err
	}
	shown := shownJob{newJob(row), []failure{}}
	for _, f := range failures {
		shown.Failures = append(shown.Failures,
			failure{f.Attempt, f.At.UTC(), f.Worker, f.Error, f.Stack})
	}
	return cli.PrintJSON(w, shown)
}

// notThere is the error of a job that cannot be found.
func notThere(id int64) error {
	return &cli.ExitError{Code: cli.CodeNotFound, Err: fmt.Errorf(
		"there is no job %d, or it is kept no longer: %q has those that are", id, "rowlock list")}
}

// describe says all of a job to a person.
func describe(r *queue.JobRow, failures []queue.Failure, now time.Time) string {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-13s %s\n", name, cli.Printable(value))
		}
	}
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339) + ", " + relative(t, now)
	}
	field("id", strconv.FormatInt(r.ID, 10))
	field("kind", r.Kind)
	field("queue", r.Queue)
	field("state", string(r.State))
	field("priority", strconv.Itoa(r.Priority))
	field("attempt", fmt.Sprintf("%d of %d", r.Attempt, r.MaxAttempts))
	field("lost count", strconv.Itoa(r.Lost))
	field("unique key", r.Unique)
	field("run at", moment(r.RunAt))
	field("created at", moment(r.CreatedAt))
	field("claimed at", moment(r.ClaimedAt))
	field("finished at", moment(r.FinishedAt))
	field("worker", r.Worker)
	fmt.Fprintf(&b, "args          %s\n", pretty(r.Args))
	for _, f := range failures {
		by := ""
		if f.Worker != "" {
			by = " on " + f.Worker
		}
		fmt.Fprintf(&b, "\nattempt %d failed at %s%s\n", f.Attempt, moment(f.At), cli.Printable(by))
		indent(&b, "  ", f.Error)
		indent(&b, "    ", f.Stack)
	}
	return b.String()
}

// pretty is args in as many lines as it has values, below each other's beginning. Args
// that only SQL can store, nested deeper than a queue.Client lets pass, would be
// indented without end: they stay in one line.
func pretty(args json.RawMessage) string {
	const deepest = 100
	var b bytes.Buffer
	if depth(args) > deepest || json.Indent(&b, args, strings.Repeat(" ", 14), "  ") != nil {
		return cli.Printable(string(args))
	}
	return cli.PrintableJSON(b.String())
}

// depth is how deep JSON is nested.
func depth(text json.RawMessage) (deepest int) {
	level, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// indent writes the lines of text behind a prefix.
func indent(b *strings.Builder, prefix, text string) {
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		b.WriteString(prefix + cli.Printable(line) + "\n")
	}
}
