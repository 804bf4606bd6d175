// Here: what "retry", "cancel" and "delete" have in common. Each job is a change of its
// own: one that is refused does not keep the others from being made.

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

// A change is something that is done to jobs.
type change struct {
	// do does it and returns the state that the job is in then.
	do func(ctx context.Context, db *pgxpool.Pool, id int64) (queue.State, error)

	// done says to a person what was done.
	done func(id int64, now queue.State) string

	// next says what to do instead with a job whose state do refuses.
	next func(*queue.ConflictError) string
}

// A changed is what became of one job, as --json prints it.
type changed struct {
	ID     int64       `json:"id"`
	State  queue.State `json:"state,omitempty"`
	Holder int64       `json:"holder,omitempty"`
	Error  string      `json:"error,omitempty"`
	Code   int         `json:"code,omitempty"`
}

// stateDeleted is what is told of a job that is no more.
const stateDeleted queue.State = "deleted"

// run makes the change on each of the jobs and tells what became of it. The exit code
// is that of the first failure.
func (c *change) run(cmd *cobra.Command, o *options, args []string) error {
	ids, err := jobIDs(args)
	if err != nil {
		return err
	}
	return o.withTables(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
		first := 0
		for i, id := range ids {
			state, err := c.do(ctx, db, id)
			result := changed{ID: id, State: state}
			if err != nil {
				result = c.refused(ctx, id, err, len(ids)-i-1)
				cli.Tell(cmd, errors.New(result.Error))
			}
			if err := c.print(cmd, result, o.json); err != nil {
				return err
			}
			if first == 0 {
				first = result.Code
			}
			if result.Code == cli.CodeNoDatabase || result.Code == cli.CodeInterrupted {
				break // the rest would end the same way
			}
		}
		if first != 0 {
			return &cli.ExitError{Code: first}
		}
		return nil
	})
}

// refused is what became of a job that could not be changed, with so many behind it.
func (c *change) refused(ctx context.Context, id int64, err error, left int) changed {
	r := changed{ID: id, Code: cli.CodeFailed}
	if conflict, ok := errors.AsType[*queue.ConflictError](err); ok {
		r.Code, r.State, r.Holder = cli.CodeConflict, conflict.State, conflict.Holder
		r.Error = fmt.Sprintf("job %d is %s: %s", id, conflict.State, c.next(conflict))
		return r
	}
	if errors.Is(err, queue.ErrNotFound) {
		err = notThere(id)
	}
	err = explain(ctx, err)
	r.Error = err.Error()
	if exit, ok := errors.AsType[*cli.ExitError](err); ok {
		r.Code = exit.Code
	}
	if r.Code == cli.CodeNoDatabase || r.Code == cli.CodeInterrupted {
		r.Error += fmt.Sprintf(" (at job %d, which may be changed or not; not tried: %d more)",
			id, left)
	}
	return r
}

// print writes what became of a job; for people, that is only what went well.
func (c *change) print(cmd *cobra.Command, r changed, asJSON bool) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return cli.PrintJSON(w, r)
	}
	if r.Error != "" {
		return nil
	}
	_, err := fmt.Fprintln(w, c.done(r.ID, r.State))
	return err
}
