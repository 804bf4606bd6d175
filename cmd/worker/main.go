// Worker runs the shop's jobs: orders, mails and exports. "worker demo" is all of
// it on a throw-away Postgres; "worker --help" lists the rest.
package main

import (
	"context"
	"io"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program without its process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	began := false // parsing is over: an error is not one of usage any more
	root := newRoot(&began)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		err = usagef("%w; see %q", err, cmd.CommandPath()+" --help")
	}
	return conclude(cmd, err)
}
