// Here: a sitting, in which the measurements are made one after the other.

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rowlock/rowlock/internal/localpg"
)

// A sitting fills a folder with raw data. One that was interrupted goes on where it was.
type sitting struct {
	dir  string
	log  io.Writer
	plan []measurement
	anew bool

	url     string // of the server
	commit  string // of rowlock, if that is known
	program string // rowlock
	peers   string // the comparison
}

// measure makes those measurements that are not there, on the server that DATABASE_URL
// names, or a throw-away one, as durable as in production.
func (s *sitting) measure(ctx context.Context) (err error) {
	server, err := localpg.Start(ctx, localpg.Options{Durable: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	s.url = server.URL
	fmt.Fprintln(s.log, server.How)
	bin, err := os.MkdirTemp("", "rowlock-page-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bin)) }()
	if err := s.build(ctx, bin); err != nil {
		return err
	}
	if err := s.describeMachine(ctx); err != nil {
		return err
	}
	s.commit = commit(ctx)
	return s.takeAll(ctx)
}

// build builds the programs, which so know the commit that they are of.
func (s *sitting) build(ctx context.Context, bin string) error {
	s.program, s.peers = filepath.Join(bin, "rowlock"), filepath.Join(bin, "peers")
	for _, b := range []struct{ dir, out, pkg string }{
		{"..", s.program, "./cmd/rowlock"}, {".", s.peers, "."},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", b.out, b.pkg)
		cmd.Dir, cmd.Stderr = b.dir, s.log
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", b.pkg, err)
		}
	}
	return nil
}

// commit returns which commit is checked out, or "" where git cannot tell.
func commit(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--",
		":/*.go", ":/*.sql").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(head)) + " with changes"
	}
	return strings.TrimSpace(string(head))
}

// A machine is what the figures were measured on.
type machine struct {
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory,omitempty"`
	System string `json:"system"`
}

const machineFile = "machine.json"

// describeMachine notes what this machine is, as far as it tells.
func (s *sitting) describeMachine(ctx context.Context) error {
	m := machine{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH,
	}
	var kB float64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kB); err == nil {
		m.Memory = fmt.Sprintf("%.0f GiB", kB/(1<<20))
	}
	if out, err := exec.CommandContext(ctx, "uname", "-sr").Output(); err == nil {
		m.System = strings.TrimSpace(string(out)) + ", " + runtime.GOARCH
	}
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, machineFile), append(content, '\n'), 0o644)
}

// field returns the first value of a name in a file of lines "name: value", or "".
func field(file, name string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return "" // not on Linux
	}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// takeAll makes what the plan has and the folder has not.
func (s *sitting) takeAll(ctx context.Context) error {
	todo := make(map[string][]take) // what is there of each
	var planned, done time.Duration
	for _, m := range s.plan {
		takes, err := read(s.dir, m.name)
		if err != nil {
			return err
		}
		if s.anew {
			takes = nil
		}
		todo[m.name] = of(takes, m.command)
		planned += time.Duration(max(0, m.times-len(todo[m.name]))) * m.takes
	}
	began := time.Now()
	for _, m := range s.plan {
		takes := todo[m.name]
		for n := len(takes); n < m.times; n++ {
			left := planned - done
			if done > 0 { // by how long the others have taken
				left = time.Duration(float64(left) * float64(time.Since(began)) / float64(done))
			}
			fmt.Fprintf(s.log, "%s  about %v left  %s, %d of %d: %s\n",
				time.Now().Format(time.TimeOnly), left.Round(time.Second), m.name, n+1, m.times, m.command)
			t, err := s.take(ctx, m)
			if err != nil {
				return fmt.Errorf("%s: %w", m.command, err)
			}
			takes = append(takes, t)
			if err := keep(s.dir, m.name, takes); err != nil {
				return err
			}
			done += m.takes
		}
	}
	return nil
}

// take runs a command once.
func (s *sitting) take(ctx context.Context, m measurement) (t take, err error) {
	t.Command, t.Commit = m.command, s.commit
	t.Began = time.Now().UTC().Format(time.RFC3339)
	began := time.Now()
	cmd := s.process(ctx, m)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if m.name == "peers" {
		cmd.Stderr = io.MultiWriter(&said, s.log) // it takes minutes
	}
	if err := cmd.Run(); err != nil {
		return t, errors.Join(cmp.Or(context.Cause(ctx), err), errors.New(said.String()))
	}
	t.Seconds = float64(time.Since(began).Round(time.Millisecond)) / float64(time.Second)
	var compact bytes.Buffer
	if err := json.Compact(&compact, out.Bytes()); err != nil {
		return t, err
	}
	t.Result = compact.Bytes()
	return t, nil
}

// process is the program of a command with its arguments.
func (s *sitting) process(ctx context.Context, m measurement) *exec.Cmd {
	args := strings.Fields(strings.TrimPrefix(m.command, "rowlock "))
	program := s.program
	if quoted, ok := strings.CutPrefix(m.command, peersCommand+"ARGS="); ok {
		program = s.peers
		args = append(strings.Fields(strings.Trim(quoted, `"`)), "--out", os.DevNull)
	}
	cmd := exec.CommandContext(ctx, program, append(args, "--json")...)
	cmd.Env = slices.Concat(os.Environ(), []string{"DATABASE_URL=" + s.url})
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}
