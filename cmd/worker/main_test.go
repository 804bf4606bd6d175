package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/internal/sandbox"
)

// asProgram, in the environment, makes the test binary the program itself, for a
// test that wants processes.
const asProgram = "ROWLOCK_TEST_AS_PROGRAM"

// patience is how long a test waits for what must come, and tick how often it looks.
const (
	patience = time.Minute
	tick     = 5 * time.Millisecond
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// An outcome is what a command left.
type outcome struct {
	code           int
	stdout, stderr string
}

// worker runs a command in this process.
func worker(t *testing.T, args ...string) outcome {
	t.Helper()
	return workerReading(t, "", args...)
}

// workerReading is worker with something on standard input.
func workerReading(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// into decodes the one JSON object on stdout.
func (o outcome) into(t *testing.T, v any) {
	t.Helper()
	require.Equal(t, 1, strings.Count(o.stdout, "\n"), "one line: %s\n%s", o.stdout, o.stderr)
	require.NoError(t, json.Unmarshal([]byte(o.stdout), v), "%s\n%s", o.stdout, o.stderr)
}

// A child is a command in a process of its own.
type child struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{} // closed when cmd.ProcessState is there
}

// spawn starts a command with no environment but env.
func spawn(t *testing.T, env []string, args ...string) *child {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	c := &child{
		t: t, cmd: exec.Command(program, args...),
		stdout: new(output), stderr: new(output), ended: make(chan struct{}),
	}
	c.cmd.Env = append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH")}, env...)
	c.cmd.Dir = t.TempDir()
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.stderr
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // ProcessState tells
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
		if t.Failed() {
			t.Logf("worker %s\n%s%s", strings.Join(args, " "), c.stdout, c.stderr)
		}
	})
	return c
}

func (c *child) signal(s os.Signal) {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Signal(s))
}

// outcome waits for the end.
func (c *child) outcome() outcome {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		require.FailNow(c.t, "the command does not end")
	}
	return outcome{c.cmd.ProcessState.ExitCode(), c.stdout.String(), c.stderr.String()}
}

// kill ends the process as the system does when memory is short.
func (c *child) kill() {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Kill())
	<-c.ended
}

// await returns once text is on o.
func (c *child) await(o *output, text string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return strings.Contains(o.String(), text) },
		patience, tick, "%q never came", text)
}

// An output is what a process has written so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// value returns the one value of a query.
func value[T any](t *testing.T, db *pgxpool.Pool, sql string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), sql, args...).Scan(&v))
	return v
}

// startSandbox starts a sandbox in a new folder.
func startSandbox(t *testing.T, options sandbox.Options) (s *sandbox.Sandbox, dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := sandbox.Start(context.WithoutCancel(t.Context()), dir, options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, dir
}
