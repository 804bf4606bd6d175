// Here: "rowlock enqueue".

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

// stdinLimit is how much JSON is read. A job may have 1 MiB of it, without the spaces
// that a program or a person puts in.
const stdinLimit = 1<<20 + 1<<18

func newEnqueue(o *options) *cobra.Command {
	var with queue.With
	var runAt string
	cmd := &cobra.Command{
		Use:        "enqueue KIND [JSON]",
		SuggestFor: []string{"add", "insert", "push", "create"},
		Short:      "Puts a job on the queue",
		Long: `Enqueue puts a job of a kind on the queue, with JSON as its arguments: {} if it is
left out, and what is on stdin if it is "-". Numbers arrive as exact as they are
written.

What the kind's InsertDefaults say in Go does not reach here: give --queue,
--max-attempts and --unique as the program would. If another job of the kind holds the
key of --unique, nothing is enqueued; that is no error.` + exitCodes(),
		Example: `  rowlock enqueue greet '{"name": "world"}'
  rowlock enqueue notify_customer '{"order_id": 42}' --queue notifications --delay 5m
  rowlock enqueue nightly_report --run-at 2026-12-24T22:00:00+01:00 --unique report
  rowlock enqueue import - <rows.json`,
		Args:              kindAndJSON,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkWith(cmd, &with, runAt); err != nil {
				return err
			}
			data, err := readArgs(args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			with.Args = rawArgs{args[0], data}
			return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return enqueue(ctx, cmd.OutOrStdout(), db, with, o.json)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&with.Queue, "queue", "", "`queue` that it waits in (default \"default\")")
	f.IntVar(&with.Priority, "priority", 0, "from 1, which goes first, to 4 (default 2)")
	f.IntVar(&with.MaxAttempts, "max-attempts", 0, "how many runs it may have (default 26)")
	f.DurationVar(&with.Delay, "delay", 0, "how long it waits, such as 90s, 5m or 48h")
	f.StringVar(&runAt, "run-at", "", "earliest `time` to run, in RFC 3339; a past one is now")
	f.StringVar(&with.Unique, "unique", "", "`key` that only one live job of the kind can hold")
	return cmd
}

// kindAndJSON is what stands behind the command.
func kindAndJSON(_ *cobra.Command, args []string) error {
	const example = `rowlock enqueue greet '{"name": "world"}'`
	switch len(args) {
	case 0:
		return cli.Usagef("give the kind of the job, as in %s", example)
	case 1, 2:
		return nil
	}
	return cli.Usagef("give one KIND and one JSON, not %d words; "+
		"the shell leaves JSON in one piece if it is in single quotes, as in %s",
		len(args), example)
}

// checkWith refuses flags that were given and would count as not given.
func checkWith(cmd *cobra.Command, with *queue.With, runAt string) (err error) {
	if err := refuseEmpty(cmd, "queue", "unique", "run-at"); err != nil {
		return err
	}
	given := cmd.Flags().Changed
	switch {
	case given("priority") && with.Priority == 0:
		return cli.Usagef("--priority is 0, not from 1 to 4")
	case given("max-attempts") && with.MaxAttempts == 0:
		return cli.Usagef("--max-attempts is 0, not from 1 to 1000")
	case with.Delay < 0:
		return cli.Usagef("--delay is %v: a job cannot run before now", with.Delay)
	case given("run-at") && given("delay"):
		return cli.Usagef("--run-at and --delay exclude each other")
	case given("run-at"):
		if with.RunAt, err = time.Parse(time.RFC3339, runAt); err != nil {
			return cli.Usagef("--run-at is %q: give a time such as 2026-12-24T22:00:00+01:00, "+
				"or 2026-12-24T21:00:00Z", runAt)
		}
	}
	return nil
}

// rawArgs are arguments that are JSON already.
type rawArgs struct {
	kind string
	data json.RawMessage
}

// Kind returns the kind.
func (a rawArgs) Kind() string { return a.kind }

// MarshalJSON returns the JSON.
func (a rawArgs) MarshalJSON() ([]byte, error) { return a.data, nil }

// readArgs returns the JSON that args name.
func readArgs(args []string, stdin io.Reader) (json.RawMessage, error) {
	data := []byte("{}")
	if len(args) > 1 {
		data = []byte(args[1])
	}
	if string(data) == "-" {
		var err error
		if data, err = io.ReadAll(io.LimitReader(stdin, stdinLimit+1)); err != nil {
			return nil, fmt.Errorf("read the JSON from stdin: %w", err)
		}
		if len(data) > stdinLimit {
			return nil, cli.Usagef("stdin has more than %d bytes, and a job may have 1 MiB of "+
				"JSON: store what is large elsewhere and refer to it", stdinLimit)
		}
	}
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line, column := position(data, int(syntax.Offset))
		return nil, cli.Usagef("this is no JSON: %w, at line %d, column %d", syntax, line, column)
	}
	return raw, err
}

// position returns the line and the column of the last of the first n bytes of data.
func position(data []byte, n int) (line, column int) {
	before := string(data[:min(max(n-1, 0), len(data))])
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:])
}

// An insertion is what became of a job to enqueue, as --json prints it.
type insertion struct {
	ID      int64         `json:"id"`
	Outcome queue.Outcome `json:"outcome"`
}

func enqueue(
	ctx context.Context, w io.Writer, db *pgxpool.Pool, with queue.With, asJSON bool,
) error {
	made, err := new(queue.Client).Insert(ctx, db, with)
	if err != nil {
		return insertError(ctx, err, with.Kind())
	}
	switch {
	case asJSON:
		return cli.PrintJSON(w, insertion{made.ID, made.Outcome})
	case made.Outcome == queue.Existing:
		_, err = fmt.Fprintf(w, "job %d holds the key %s: nothing was enqueued\n",
			made.ID, cli.Printable(with.Unique))
	default:
		_, err = fmt.Fprintf(w, "job %d is queued\n", made.ID)
	}
	return err
}

// insertError returns what a person is told of an error of Insert.
func insertError(ctx context.Context, err error, kind string) error {
	if invalid, ok := errors.AsType[*queue.InvalidError](err); ok {
		return cli.Usagef("%s %s", flagOf(invalid.Field), invalid.Reason)
	}
	explained := explain(ctx, err)
	if exit, ok := errors.AsType[*cli.ExitError](explained); ok {
		// The answer did not come, but the question may have arrived.
		if _, refused := errors.AsType[*pgconn.PgError](err); !refused {
			return &cli.ExitError{Code: exit.Code, Err: fmt.Errorf(
				"%w (the job may be stored: see %q)", exit.Err, "rowlock list --kind "+kind)}
		}
	}
	return explained
}

// flagOf returns what a person calls a field of a job.
func flagOf(field string) string {
	switch field {
	case "Kind":
		return "KIND"
	case "Queue", "Priority", "Unique":
		return "--" + strings.ToLower(field)
	case "MaxAttempts":
		return "--max-attempts"
	case "RunAt":
		return "--run-at"
	}
	if path, ok := strings.CutPrefix(field, "Args"); ok && path != "" {
		return "the JSON at " + path
	}
	return "the JSON"
}
