//go:build unix

package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// longestParent leaves room for "/rowlock.XXXXXX/.s.PGSQL.5432" in the 104 bytes
// that the path of a socket may have on macOS; Linux has 108.
const longestParent = 104 - len("/rowlock.XXXXXX/.s.PGSQL.5432") - 1

// parentDir returns the directory in which a cluster's own directory is made.
func parentDir(wanted string) (string, error) {
	if wanted != "" {
		dir, err := filepath.Abs(wanted)
		if err != nil {
			return "", err
		}
		if len(dir) > longestParent {
			return "", fmt.Errorf("%s is %d bytes long and a socket's path allows %d; "+
				"name a shorter one", dir, len(dir), longestParent)
		}
		return dir, nil
	}
	// TMPDIR is too long on macOS, and for root it may be out of reach of the user
	// that the server runs as.
	if dir := os.TempDir(); len(dir) <= longestParent && os.Getuid() != 0 {
		return dir, nil
	}
	return "/tmp", nil
}

// serverUser returns whom the server runs as: nil means us.
func serverUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s has the id %q: %w", name, u.Uid, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s has the group %q: %w", name, u.Gid, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("a server does not run as root, and this machine has neither " +
		"a user postgres nor nobody; run this as an ordinary user")
}
