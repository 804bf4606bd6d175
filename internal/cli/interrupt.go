// Here: Ctrl-C.

package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Interruptible returns a context that ends at the first SIGINT or SIGTERM; the
// next one ends the process.
func Interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	stop := context.AfterFunc(ctx, release)
	return ctx, func() {
		stop()
		release()
	}
}
