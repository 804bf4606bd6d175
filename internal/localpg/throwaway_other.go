//go:build !unix

package localpg

import (
	"context"
	"fmt"
	"runtime"
)

// Throwaway starts a cluster on Unix systems. Here it returns [ErrNoBinaries].
func Throwaway(context.Context, Options) (*Server, error) {
	return nil, fmt.Errorf("%w: a throw-away cluster cannot be started on %s",
		ErrNoBinaries, runtime.GOOS)
}
