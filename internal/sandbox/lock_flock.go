//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sandbox

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lock keeps other sandboxes out of dir until the file that it returns is
// closed. The system closes it when the process ends, however it ends; a process
// that was killed may take a moment for that, so lock asks for a second. Then it
// returns errInUse.
func lock(ctx context.Context, dir *os.Root) (*os.File, error) {
	file, err := dir.OpenFile("sandbox.lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	const tries, pause = 50, 20 * time.Millisecond
	for range tries {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || ctx.Err() != nil {
			break
		}
		wait(ctx, pause)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errInUse
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
