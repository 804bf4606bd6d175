// Worker runs the shop's jobs: orders, mails and exports. "worker demo" is all of
// it on a throw-away Postgres; "worker --help" lists the rest.
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
	program := cli.Program{Root: newRoot(), Twin: twin}
	return program.Run(ctx, args, stdin, stdout, stderr)
}
