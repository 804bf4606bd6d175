// Withpg makes sure that this machine has a Postgres, and runs a command with
// one.
//
//	go run ./internal/localpg/withpg               make sure, and no more
//	go run ./internal/localpg/withpg go test ./... and run the tests with one server
//
// It says what it found and what it installs, on standard error. The command
// finds a throw-away server in ROWLOCK_TEST_SERVER, which all test processes of
// "go test ./..." then share, and which is gone when the command ends. Where a
// server is named by TEST_DATABASE_URL, DATABASE_URL or the variables of libpq,
// withpg neither installs nor starts one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/rowlock/rowlock/internal/localpg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.Exited() {
		os.Exit(failed.ExitCode()) // the command has said why
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run makes sure of a Postgres and runs command, if there is one.
func run(ctx context.Context, command []string) error {
	test := os.Getenv("TEST_DATABASE_URL")
	named, err := localpg.Given(ctx, test)
	if err != nil && test != "" {
		return fmt.Errorf("TEST_DATABASE_URL: %w", err)
	}
	if err != nil {
		return err
	}
	if named != nil {
		say("%s", named.How)
		return execute(ctx, command)
	}
	found, err := ensure(ctx)
	if err != nil {
		return err
	}
	if len(command) == 0 || found == inDocker {
		return execute(ctx, command)
	}

	s, err := localpg.Throwaway(ctx, localpg.Options{MaxConnections: 500})
	if err != nil {
		return err
	}
	say("%s", s.How)
	return errors.Join(execute(ctx, command, "ROWLOCK_TEST_SERVER="+s.URL), s.Close())
}

// execute runs a command, and passes on an interrupt of ours. No command is no
// error.
func execute(ctx context.Context, command []string, env ...string) error {
	if len(command) == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", command[0], err)
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "postgres: "+format+"\n", args...)
}
