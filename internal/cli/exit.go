// Here: how a program ends. An error says what to do next; its code tells a script
// what kind of end it was.

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/localpg"
)

// Exit codes.
const (
	CodeFailed      = 1
	CodeUsage       = 2
	CodeNotFound    = 3
	CodeConflict    = 4
	CodeNoDatabase  = 5
	CodeInterrupted = 130
)

// An ExitError is an error with the code that the program ends with.
type ExitError struct {
	Code int
	Err  error // nil if it has been told
}

// Error is that of Err.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// Usagef returns an error that says how the program was called wrong.
func Usagef(format string, args ...any) error {
	return &ExitError{CodeUsage, fmt.Errorf(format, args...)}
}

// NoDatabase returns err as the reason why no database answers.
func NoDatabase(err error) error { return &ExitError{CodeNoDatabase, err} }

// ErrInterrupted says that a person or a supervisor wanted the program to end.
var ErrInterrupted error = &ExitError{CodeInterrupted, errors.New("interrupted")}

// conclude tells what went wrong and returns the exit code.
func (p *Program) conclude(cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Err != nil {
		Tell(cmd, err)
	}
	return p.code(err)
}

// Tell writes on stderr, in one line, what went wrong. It is for what goes wrong
// along the way; the error that a command returns is told anyway.
func Tell(cmd *cobra.Command, err error) {
	cmd.PrintErrln(cmd.Root().Name() + ": " + oneLine(err))
}

func (p *Program) code(err error) int {
	if exit, ok := errors.AsType[*ExitError](err); ok {
		return exit.Code
	}
	if p.Code != nil {
		if code := p.Code(err); code != 0 {
			return code
		}
	}
	if _, ok := errors.AsType[*localpg.NotFoundError](err); ok {
		return CodeNoDatabase
	}
	if errors.Is(err, context.Canceled) {
		return CodeInterrupted
	}
	return CodeFailed
}

// oneLine folds the lines of an error, but not of one that is laid out for people.
func oneLine(err error) string {
	if _, ok := errors.AsType[*localpg.NotFoundError](err); ok {
		return err.Error()
	}
	var parts []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return Printable(strings.Join(parts, " "))
}
