// Here: how a command ends.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

// exitCodes is what the help of a command that works with the database ends with.
// Codes are those that it has beside the usual ones.
func exitCodes(codes ...int) string {
	lines := []string{"\n\nExit codes:", "  0    done", "  1    failed", "  2    wrong usage"}
	for _, c := range codes {
		switch c {
		case cli.CodeNotFound:
			lines = append(lines, "  3    there is no such job")
		case cli.CodeConflict:
			lines = append(lines, "  4    the job is in no state for that")
		}
	}
	return strings.Join(append(lines, "  5    no database answers", "  130  interrupted"), "\n")
}

// code returns the exit code of an error from the queue or from a benchmark.
func code(err error) int {
	if _, ok := errors.AsType[*queue.InvalidError](err); ok {
		return cli.CodeUsage
	}
	if _, ok := errors.AsType[*bench.RefusedError](err); ok {
		return cli.CodeUsage
	}
	if errors.Is(err, queue.ErrNotFound) {
		return cli.CodeNotFound
	}
	if _, ok := errors.AsType[*queue.ConflictError](err); ok {
		return cli.CodeConflict
	}
	return 0
}

// explain returns what a person is told of an error that came up while a command
// worked with the database, and nil if nobody reads on.
func explain(ctx context.Context, err error) error {
	if exit, ok := errors.AsType[*cli.ExitError](err); ok {
		return exit
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return cli.ErrInterrupted
	case broken(err):
		return cli.NoDatabase(fmt.Errorf("the database went away: %w; "+
			"run the command again when it is back", err))
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return nil // as when "head" has seen enough
	}
	return err
}

// broken reports whether the server or the way to it is gone.
func broken(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		// It is shutting down, has crashed or is starting; or the connection failed.
		return strings.HasPrefix(refused.Code, "57P0") || strings.HasPrefix(refused.Code, "08")
	}
	return errors.Is(err, io.ErrUnexpectedEOF)
}
