// Here: a Redis of our own, for the queues that need one.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	client "github.com/redis/go-redis/v9"
)

// redisDurability is what is said with each figure from Redis.
const redisDurability = "appendonly yes, appendfsync everysec, no snapshots"

// The script stops the server and removes its folder when our end of the pipe closes,
// however we end.
const redisScript = `
trap : HUP INT TERM
"$1" --port 0 --unixsocket "$2/redis.sock" --dir "$2" --appendonly yes \
	--appendfsync everysec --save "" --logfile "$2/log" </dev/null >/dev/null 2>&1 &
server=$!
cat >/dev/null
kill -KILL "$server"
wait "$server"
rm -rf "$2"
`

// A redis is a running server on a unix socket.
type redis struct {
	version string
	socket  string
	client  *client.Client
	owner   io.Closer
	cmd     *exec.Cmd
}

// startRedis starts the redis-server, or valkey-server, of PATH.
func startRedis(ctx context.Context) (*redis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, skip("no redis-server on PATH: apt-get install redis-server, " +
			"or brew install redis")
	}
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("ask redis-server for its version: %w", err)
	}
	dir, err := os.MkdirTemp("", "rowlock-redis-")
	if err != nil {
		return nil, err
	}
	r := &redis{version: redisVersion(string(out)), socket: filepath.Join(dir, "redis.sock")}
	r.cmd = exec.Command("/bin/sh", "-c", redisScript, "redis", program, dir)
	// A group of its own: Ctrl-C at the terminal is for us.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if r.owner, err = r.cmd.StdinPipe(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r.client = client.NewClient(&client.Options{Network: "unix", Addr: r.socket})
	if err := r.ready(ctx); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, errors.Join(fmt.Errorf("start redis-server: %w: %s", err, log), r.close())
	}
	return r, nil
}

func (r *redis) ready(ctx context.Context) (err error) {
	const patience, pause = 10 * time.Second, 20 * time.Millisecond
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = r.client.Ping(ctx).Err(); err == nil {
			return nil
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
	return err
}

// close stops the server and waits until its folder is gone.
func (r *redis) close() error {
	return errors.Join(r.client.Close(), r.owner.Close(), r.cmd.Wait())
}

var redisVersionOf = regexp.MustCompile(`v=(\S+)`)

// redisVersion finds the version in what "redis-server --version" prints.
func redisVersion(printed string) string {
	if found := redisVersionOf.FindStringSubmatch(printed); found != nil {
		return found[1]
	}
	return strings.TrimSpace(printed)
}
