// Here: how the program ends. An error says what to do next; its code tells a
// script what kind of end it was.

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/localpg"
)

const (
	codeFailed      = 1
	codeUsage       = 2
	codeRejected    = 2
	codeNoDatabase  = 5
	codeInterrupted = 130
)

// exitCodes is what the help of a command ends with.
func exitCodes(cmd *cobra.Command) string {
	failed, wrong := "failed", "wrong usage"
	if cmd.Name() == "demo" || cmd.Name() == "report" {
		failed += ", or an order is not accounted for"
	}
	if cmd.Flags().Lookup("orders-file") != nil {
		wrong += ", or rows of the orders file were rejected while the rest went on"
	}
	lines := []string{"Exit codes:", "  0    done", "  1    " + failed, "  2    " + wrong}
	if cmd.Flags().Lookup("database-url") != nil {
		lines = append(lines, "  5    no database answers")
	}
	return strings.Join(append(lines, "  130  interrupted"), "\n")
}

// An exitError is an error with the code that the program ends with.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{codeUsage, err} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

func noDatabase(err error) error { return &exitError{codeNoDatabase, err} }

// errInterrupted says that a person or a supervisor wanted the program to end.
var errInterrupted error = &exitError{codeInterrupted, errors.New("interrupted")}

// conclude tells what went wrong and returns the exit code.
func conclude(cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	cmd.PrintErrln("worker: " + oneLine(err))
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	return codeOf(err)
}

func codeOf(err error) int {
	if _, ok := errors.AsType[*localpg.NotFoundError](err); ok {
		return codeNoDatabase
	}
	if errors.Is(err, context.Canceled) {
		return codeInterrupted
	}
	return codeFailed
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
	return strings.Join(parts, " ")
}
