//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sandbox

import (
	"context"
	"errors"
	"os"
)

func lock(context.Context, *os.Root) (*os.File, error) {
	return nil, errors.New("the sandbox needs a system that has flock: use Linux, macOS or a BSD")
}
