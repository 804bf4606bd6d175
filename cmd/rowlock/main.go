// Rowlock is the operator's command line: it migrates the tables, enqueues jobs, looks
// at them, and retries, cancels and deletes them. It knows no handlers, so it serves
// any database that has the tables of the queue. "rowlock --help" lists the commands.
package main

import (
	"context"
	"io"
	"os"

	"github.com/rowlock/rowlock/internal/cli"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program without its process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	program := cli.Program{Root: newRoot(), Twin: twin, Code: code}
	return program.Run(ctx, args, stdin, stdout, stderr)
}
