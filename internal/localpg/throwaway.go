//go:build unix

package localpg

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// supervisor is the shell script that starts a cluster, and ends it when we do.
//
//go:embed supervise.sh
var supervisor string

// Throwaway starts a cluster of its own from the server binaries on this
// machine, in about a second. It listens on a unix socket in a directory that
// only this user can enter, and on no port. It ends with Close, or with this
// process, however that ends, and leaves nothing behind. For root, whom Postgres
// refuses, it runs as the user postgres, or else nobody.
//
// No goroutine goes with it, so a test that looks for leaked ones finds none.
// Without server binaries the error is [ErrNoBinaries].
func Throwaway(ctx context.Context, o Options) (*Server, error) {
	bin, err := FindBinaries(ctx)
	if err != nil {
		return nil, err
	}
	c, err := startCluster(ctx, bin, o)
	if err != nil {
		return nil, fmt.Errorf("start Postgres %s from %s: %w; "+
			"or name a server by DATABASE_URL", bin.Version, bin.Dir, err)
	}
	durability := "not durable"
	if o.Durable {
		durability = "durable"
	}
	return &Server{
		URL: c.url(),
		How: fmt.Sprintf("Postgres %s of %s, a throw-away cluster in %s (%s)",
			bin.Version, bin.Dir, c.dir, durability),
		Throwaway: true,
		stop:      sync.OnceValue(c.stop),
	}, nil
}

// A cluster is a running Postgres under its supervisor.
type cluster struct {
	dir    string
	cmd    *exec.Cmd
	owner  io.Closer // closing it ends the supervisor, and so does our death
	output *os.File  // ends when the server does
}

func startCluster(ctx context.Context, bin Binaries, o Options) (*cluster, error) {
	parent, err := parentDir(o.Dir)
	if err != nil {
		return nil, err
	}
	user, err := serverUser()
	if err != nil {
		return nil, err
	}
	args := append([]string{"-s", parent, bin.Dir}, settings(o)...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir = "/"
	cmd.Env = serverEnv()
	// A group of its own: Ctrl-C at the terminal is for us, and we may still need
	// the server while we stop.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: user}

	c := &cluster{cmd: cmd}
	if err := c.spawn(); err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// spawn starts the supervisor with a pipe in, which brings its script, and a
// pipe out.
func (c *cluster) spawn() error {
	owner, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, w, err := os.Pipe()
	if err != nil {
		return errors.Join(err, owner.Close())
	}
	c.owner, c.output, c.cmd.Stdout = owner, output, w
	_, err = io.WriteString(owner, supervisor) // it fits into the pipe
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return errors.Join(err, owner.Close(), output.Close(), w.Close())
	}
	return w.Close() // the supervisor has its own
}

// ready waits until the server answers, and returns an error as soon as it
// cannot any more.
func (c *cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute,
		errors.New("it does not answer after a minute"))
	defer cancel()
	for {
		ended := c.listen(20 * time.Millisecond)
		if c.dir != "" {
			conn, err := pgx.Connect(ctx, c.url())
			if err == nil {
				return conn.Close(ctx)
			}
		}
		if ended {
			return fmt.Errorf("it ended at once: %s", c.lastWords())
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), errors.New(c.lastWords()))
		}
	}
}

// listen reads the supervisor's output for the given time, and reports whether
// that has ended.
func (c *cluster) listen(d time.Duration) (ended bool) {
	line := make([]byte, 4096)
	if err := c.output.SetReadDeadline(time.Now().Add(d)); err != nil {
		return true
	}
	n, err := c.output.Read(line)
	if n > 0 {
		c.dir = strings.TrimSpace(string(line[:n])) // a short line is written in one piece
	}
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// lastWords returns the end of the server's log.
func (c *cluster) lastWords() string {
	log, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if c.dir == "" || err != nil {
		return "it made no directory and no log"
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// stop ends the server and waits until its directory is gone.
func (c *cluster) stop() error {
	err := errors.Join(c.owner.Close(), c.output.Close())
	// Postgres gives its own processes five seconds to go.
	kill := time.AfterFunc(20*time.Second, func() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	})
	defer kill.Stop()
	if waited := c.cmd.Wait(); waited != nil {
		err = errors.Join(err, fmt.Errorf("stop the Postgres in %s: %w; remove what is left there",
			c.dir, waited))
	}
	return err
}

func (c *cluster) url() string {
	// The user's own PG* variables must not add to what is said here.
	return "postgres:///postgres?" + url.Values{
		"host": {c.dir}, "port": {"5432"}, "user": {"postgres"}, "sslmode": {"disable"},
	}.Encode()
}

// settings returns the arguments of postgres that set what o asks for.
func settings(o Options) []string {
	set := map[string]string{
		"port":            "5432", // no port is opened: it is part of the socket's name
		"max_connections": strconv.Itoa(max(o.MaxConnections, 0)),
		"log_line_prefix": "%m [%p] %q%a ",
	}
	if o.MaxConnections == 0 {
		set["max_connections"] = "200"
	}
	if o.Durable {
		set["fsync"], set["full_page_writes"], set["synchronous_commit"] = "on", "on", "on"
		set["max_wal_size"] = "8GB"
	} else {
		set["fsync"], set["full_page_writes"], set["synchronous_commit"] = "off", "off", "off"
	}
	maps.Copy(set, o.Settings)
	var args []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		args = append(args, "-c", name+"="+set[name])
	}
	return args
}

// serverEnv is the environment of the server: not ours, whose PG* variables are
// for clients and would change it.
func serverEnv() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
