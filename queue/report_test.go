package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// Conformance 63.
func TestEachFailureIsToldOnceWithTheIDOfItsJob(t *testing.T) {
	b := setup(t)
	b.failWith(func(job *queue.Job[Note]) error { return fmt.Errorf("%d/%d", job.ID, job.Attempt) })
	var ids []int64
	for range 20 {
		ids = append(ids, b.insert(queue.With{Args: Note{}, MaxAttempts: 2}))
	}
	b.run()
	for _, id := range ids {
		b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued && j.Attempt == 1 })
		b.dueNow(id)
	}
	for _, id := range ids {
		b.until(id, queue.StateDead)
	}
	require.NoError(t, b.stopped())
	told := b.failures()
	require.Len(t, told, len(ids))
	for _, id := range ids {
		var errs []string
		for _, failed := range told[id] {
			require.Equal(t, "note", failed.Job.Kind)
			errs = append(errs, failed.Err.Error())
		}
		require.ElementsMatch(t, []string{fmt.Sprintf("%d/1", id), fmt.Sprintf("%d/2", id)}, errs)
	}
}

// A journal is what a worker has logged, a line of JSON each.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// lines returns those with a message, in their order.
func (j *journal) lines(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for dec := json.NewDecoder(bytes.NewReader(j.text.Bytes())); dec.More(); {
		var line map[string]any
		require.NoError(t, dec.Decode(&line))
		if line["msg"] == message {
			found = append(found, line)
		}
	}
	return found
}

// Conformance 79: of attempts, those that failed are logged. Form, further fields
// and level are the Logger's.
func TestFailuresAreLoggedInTheLoggersForm(t *testing.T) {
	b := setup(t)
	all, grave := &journal{}, &journal{}
	b.w.Logger = slog.New(slog.NewMultiHandler(
		slog.NewJSONHandler(all, nil),
		slog.NewJSONHandler(grave, &slog.HandlerOptions{Level: slog.LevelError}),
	)).With("service", "shop")
	b.failWith(func(job *queue.Job[Note]) error {
		if job.Args.Text == "good" {
			return nil
		}
		return errors.New("no luck")
	})
	good := b.insert(Note{Text: "good"})
	bad := b.insert(queue.With{Args: Note{}, MaxAttempts: 2})
	b.run()
	b.until(good, queue.StateCompleted)
	b.untilJob(bad, func(j *queue.JobRow) bool { return j.State == queue.StateQueued && j.Attempt == 1 })
	b.dueNow(bad)
	b.until(bad, queue.StateDead)
	require.NoError(t, b.stopped())

	failed := all.lines(t, "attempt failed")
	require.Len(t, failed, 2, "a success has no line")
	for i, line := range failed {
		require.NotEmpty(t, line["time"])
		require.NotEmpty(t, line["run_at"])
		delete(line, "time")
		delete(line, "run_at")
		require.Equal(t, map[string]any{
			"level": []string{"WARN", "ERROR"}[i], "msg": "attempt failed", "service": "shop",
			"job_id": float64(bad), "kind": "note", "queue": "default", "attempt": float64(i + 1), "of": 2.0,
			"state": []string{"queued", "dead"}[i], "error": "no luck",
		}, line)
	}
	for _, message := range []string{"worker starts", "worker stops", "worker stopped"} {
		require.Len(t, all.lines(t, message), 1, message)
		require.Empty(t, grave.lines(t, message), message)
	}
	require.Len(t, grave.lines(t, "attempt failed"), 1)
}

// Conformance 78.
func TestOnErrorThatPanicsIsLoggedAndTheWorkerGoesOn(t *testing.T) {
	tests := map[string]struct {
		do     func()
		logged any
	}{
		"a panic":           {func() { panic("ouch") }, "ouch"},
		"panics an error":   {func() { panic(errors.New("ouch")) }, "ouch"},
		"panics a nil map":  {func() { write(nil) }, "assignment to entry in nil map"},
		"panics a bad text": {func() { panic((*panickingError)(nil)) }, nil},
		"Goexit":            {func() { runtime.Goexit() }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			log := &journal{}
			b.w.Logger = slog.New(slog.NewJSONHandler(log, nil))
			b.w.OnError = func(context.Context, error) { test.do() }
			b.failWith(func(job *queue.Job[Note]) error {
				if job.Args.Text == "good" {
					return nil
				}
				return queue.NoRetry(errors.New("no luck"))
			})
			b.run()
			for range 3 {
				b.until(b.insert(Note{}), queue.StateDead)
				b.until(b.insert(Note{Text: "good"}), queue.StateCompleted)
			}
			require.NoError(t, b.stopped())
			require.Len(t, log.lines(t, "attempt failed"), 3)
			panicked := log.lines(t, "OnError panicked")
			if name == "Goexit" {
				require.Empty(t, panicked)
				return
			}
			require.Len(t, panicked, 3)
			for _, line := range panicked {
				require.Equal(t, "ERROR", line["level"])
				require.Contains(t, line["about"], "no luck")
				if test.logged != nil {
					require.Equal(t, test.logged, line["panic"])
				}
			}
		})
	}
}

// A touchy log panics when it is told of a failure.
type touchy struct{ slog.Handler }

func (touchy) Enabled(context.Context, slog.Level) bool { return true }

func (touchy) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "attempt failed" {
		panic("ouch")
	}
	return nil
}

func TestLogThatPanicsEndsNothing(t *testing.T) {
	b := setup(t)
	b.w.Logger = slog.New(touchy{slog.DiscardHandler})
	b.failWith(func(job *queue.Job[Note]) error {
		if job.Args.Text == "bad" {
			return queue.NoRetry(errors.New("bad"))
		}
		return nil
	})
	b.until(b.runOne(Note{Text: "bad"}), queue.StateDead)
	b.until(b.insert(Note{Text: "good"}), queue.StateCompleted)
	require.NoError(t, b.stopped())
}
