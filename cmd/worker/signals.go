// Here: SIGINT and SIGTERM.

package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/rowlock/rowlock/internal/cli"
)

// obey returns what f returns. At the first signal it calls drain, which asks f to
// end in order, and at the second hurry, which asks it to end soon. At the third it
// waits for f no longer.
func obey(f func() error, drain, hurry func()) error {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	for n := 1; ; n++ {
		select {
		case err := <-ended:
			return err
		case <-signals:
		}
		switch n {
		case 1:
			drain()
		case 2:
			hurry()
		default:
			return cli.ErrInterrupted
		}
	}
}
