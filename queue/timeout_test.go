package queue_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// A timed handler tells when it is to end, by an answer that a test gives.
type timed struct {
	limit func() time.Duration
	spans chan span
}

// A span is when a handler's context ends, as seen at a moment after its start.
type span struct{ end, seen time.Time }

func newTimed(limit func() time.Duration) *timed { return &timed{limit, make(chan span, 10)} }

func (h *timed) Handle(ctx context.Context, _ *queue.Job[Note]) error {
	end, _ := ctx.Deadline()
	h.spans <- span{end: end, seen: time.Now()}
	return nil
}

func (h *timed) Timeout(*queue.JobRow) time.Duration { return h.limit() }

// Conformance 134: without a time of its own, an attempt has the default.
func TestAttemptHasItsHandlersTimeOrTheDefault(t *testing.T) {
	const standard = 15 * time.Minute
	for name, test := range map[string]struct{ answer, want time.Duration }{
		"its answer":          {time.Hour, time.Hour},
		"zero is default":     {0, standard},
		"negative is default": {-time.Hour, standard},
		"no Timeout method":   {0, standard},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			h := newTimed(func() time.Duration { return test.answer })
			if name == "no Timeout method" {
				queue.HandleFunc(b.w, h.Handle)
			} else {
				queue.Handle(b.w, h)
			}
			id := b.insert(Note{})
			before := time.Now()
			b.run()
			got := receive(t, h.spans)
			require.WithinRange(t, got.end, before.Add(test.want), got.seen.Add(test.want))
			b.until(id, queue.StateCompleted)
		})
	}
}

func TestTimeoutThatPanicsFailsTheAttempt(t *testing.T) {
	for name, test := range map[string]struct {
		do   func()
		text string
	}{
		"panic":  {func() { panic("oh") }, "panic: oh"},
		"Goexit": {func() { runtime.Goexit() }, "runtime.Goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			h := newTimed(func() time.Duration { test.do(); return time.Hour })
			queue.Handle(b.w, h)
			id := b.runOne(Note{})
			failed := &queue.JobError{}
			require.ErrorAs(t, receive(t, b.heard), &failed)
			require.Equal(t, id, failed.Job.ID)
			require.ErrorContains(t, failed.Err, test.text)
			require.Contains(t, failed.Stack, "timeout_test.go", "the stack leads to the method")
			job := b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued && j.Attempt == 1 })
			require.True(t, job.RunAt.After(job.ClaimedAt), "it waits as after any failure")
			require.NoError(t, b.stopped())
			require.Empty(t, h.spans, "the handler was not called")
		})
	}
}
