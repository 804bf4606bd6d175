// Here: a queue in another language, as a child process that is told what to do.
//
// We write lines to its standard input, and it answers on its standard output:
//
//	(start)     ready VERSION     it is connected, and its tables are there
//	insert N    inserted N        so many jobs are stored
//	work        working           the worker has started
//	            ran N             its handlers have run so often by now
//	stop        stopped           it has let go of its jobs, and ends
//
// It ends when its standard input does, so it does not outlive us.

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A child is such a process.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan string // but for "ran"; closed at its end
	count   atomic.Int64
	said    *tail // its standard error
	version string
	ended   atomic.Bool
}

// startChild starts a program and waits until it is ready.
func startChild(ctx context.Context, cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, answers: make(chan string, 16), said: &tail{}}
	// A group of its own: Ctrl-C at the terminal is for us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = c.said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go c.listen(out)
	if c.version, err = c.answer(ctx, "ready"); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

// listen takes in what the child answers.
func (c *child) listen(out io.Reader) {
	defer close(c.answers)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "ran "); ok {
			if n, err := strconv.Atoi(n); err == nil {
				c.count.Store(int64(n))
			}
			continue
		}
		first, _, _ := strings.Cut(lines.Text(), " ")
		if !slices.Contains([]string{"ready", "inserted", "working", "stopped"}, first) {
			_, _ = fmt.Fprintln(c.said, lines.Text()) // a library that logs there
			continue
		}
		c.answers <- lines.Text()
	}
	c.ended.Store(true)
}

// tell says something to the child and waits for the answer.
func (c *child) tell(ctx context.Context, what, want string) error {
	if _, err := fmt.Fprintln(c.in, what); err != nil {
		return errors.Join(err, c.check())
	}
	_, err := c.answer(ctx, want)
	return err
}

// answer waits for an answer that begins like this, and returns the rest of it.
func (c *child) answer(ctx context.Context, want string) (string, error) {
	const patience = 5 * time.Minute
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-c.answers:
			if !ok {
				_ = c.kill() // and wait for what it has said at last
				return "", fmt.Errorf("the process ended before it said %q: %s", want, c.said)
			}
			if rest, ok := strings.CutPrefix(line, want); ok {
				return strings.TrimSpace(rest), nil
			}
			return "", fmt.Errorf("the process said %q instead of %q: %s", line, want, c.said)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-timer.C:
			return "", fmt.Errorf("the process has not said %q for %s: %s", want, patience, c.said)
		}
	}
}

func (c *child) start(ctx context.Context) error { return c.tell(ctx, "work", "working") }

func (c *child) ran() int { return int(c.count.Load()) }

func (c *child) check() error {
	if c.ended.Load() {
		return fmt.Errorf("the process ended: %s", c.said)
	}
	return nil
}

// stop lets the child end, and kills it if it does not.
func (c *child) stop() error {
	const patience = 15 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := c.tell(ctx, "stop", "stopped")
	if err != nil {
		return errors.Join(err, c.kill())
	}
	kill := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	return errors.Join(c.in.Close(), c.cmd.Wait())
}

func (c *child) kill() error {
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // says that it was killed
	return nil
}

// producers are processes that insert, each for one caller at a time: those that have
// nothing to do.
type producers chan *child

// startProducers starts as many as a feed may have.
func startProducers(
	ctx context.Context, start func(context.Context) (*child, error),
) (producers, error) {
	p := make(producers, mostProducers)
	for range mostProducers {
		c, err := start(ctx)
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		p <- c
	}
	return p, nil
}

// insert has one of them insert so many jobs.
func (p producers) insert(ctx context.Context, jobs int) error {
	c := <-p
	defer func() { p <- c }()
	return c.tell(ctx, "insert "+strconv.Itoa(jobs), "inserted")
}

// version is what they said when they were ready.
func (p producers) version() string {
	c := <-p
	defer func() { p <- c }()
	return c.version
}

// stop ends them all.
func (p producers) stop() (err error) {
	for range len(p) {
		err = errors.Join(err, (<-p).stop())
	}
	return err
}

// A tail keeps the end of what is written to it.
type tail struct{ kept atomic.Pointer[string] }

func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	all := t.String() + string(p)
	all = all[max(0, len(all)-most):]
	t.kept.Store(&all)
	return len(p), nil
}

// String returns what is kept.
func (t *tail) String() string {
	if kept := t.kept.Load(); kept != nil {
		return *kept
	}
	return ""
}
