package queue_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// failWith has b's worker run Note jobs that return what f returns.
func (b *bench) failWith(f func(job *queue.Job[Note]) error) {
	queue.HandleFunc(b.w, func(_ context.Context, job *queue.Job[Note]) error { return f(job) })
}

// waited returns how long after its last failure a job runs again.
func (b *bench) waited(id int64) time.Duration {
	return time.Duration(value[float64](b, `
SELECT extract(epoch FROM run_at - (SELECT max(at) FROM job_failures WHERE job_id = id))::float8
  FROM jobs WHERE id = $1`, id) * float64(time.Second))
}

// dueNow makes a waiting job due.
func (b *bench) dueNow(id int64) {
	b.exec(`UPDATE jobs SET run_at = now() WHERE id = $1 AND state = 'queued'`, id)
}

// Conformance 1, 13.
func TestFailedJobWaitsWithItsFailureOnRecord(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return errors.New("no luck") })
	id := b.insert(Note{Text: "x"})
	b.run()

	failed := &queue.JobError{}
	require.ErrorAs(t, receive(t, b.heard), &failed)
	job := b.untilJob(id, func(j *queue.JobRow) bool { return j.Attempt == 1 && j.State == queue.StateQueued })
	require.Equal(t, "default", job.Queue)
	require.JSONEq(t, `{"text":"x"}`, string(job.Args))
	require.Equal(t, queue.StateQueued, failed.Job.State)
	require.True(t, failed.Job.RunAt.Equal(job.RunAt), "the hook knows when it runs again")
	require.EqualError(t, failed.Err, "no luck")
	require.Empty(t, failed.Stack)

	wait := b.waited(id)
	require.GreaterOrEqual(t, wait, 15*time.Second)
	require.Less(t, wait, 25*time.Second)

	failures, err := b.q.Failures(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Len(t, failures, 1)
	require.Equal(t, "no luck", failures[0].Error)
	require.Equal(t, 1, failures[0].Attempt)
	require.Equal(t, job.Worker, failures[0].Worker)
	require.Empty(t, failures[0].Stack)
}

// Conformance 2, 3, 5.
func TestJobDiesAfterItsLastAttemptAndKeepsAllItsFailures(t *testing.T) {
	b := setup(t)
	b.failWith(func(job *queue.Job[Note]) error { return fmt.Errorf("attempt %d", job.Attempt) })
	id := b.insert(queue.With{Args: Note{}, MaxAttempts: 3})
	b.run()

	for n := 1; n < 3; n++ {
		b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued && j.Attempt == n })
		b.dueNow(id)
	}
	job := b.until(id, queue.StateDead)
	require.Equal(t, 3, job.Attempt)
	require.False(t, job.FinishedAt.IsZero())
	failures, err := b.q.Failures(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Len(t, failures, 3)
	for i, f := range failures {
		require.Equal(t, fmt.Sprintf("attempt %d", i+1), f.Error)
	}
	require.Equal(t, 1, value[int](b, `SELECT count(*) FROM dead_jobs`))
}

// Conformance 6, 7, 175.
func TestOneAttemptLeavesAFailedJobDead(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return errors.New("no") })
	id := b.insert(queue.With{Args: Note{}, MaxAttempts: 1})
	b.run()

	b.until(id, queue.StateDead)
	failed := &queue.JobError{}
	require.ErrorAs(t, receive(t, b.heard), &failed)
	require.Equal(t, queue.StateDead, failed.Job.State)
	require.False(t, failed.Job.FinishedAt.IsZero())
}

// Conformance 129.
func TestNoRetryLeavesAJobDeadAtOnce(t *testing.T) {
	for name, err := range map[string]error{
		"bare":    queue.NoRetry(errors.New("hopeless")),
		"wrapped": fmt.Errorf("deep: %w", fmt.Errorf("deeper: %w", queue.NoRetry(errors.New("hopeless")))),
		"joined":  errors.Join(errors.New("one"), queue.NoRetry(errors.New("hopeless"))),
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.failWith(func(*queue.Job[Note]) error { return err })
			id := b.insert(Note{})
			b.run()
			require.Equal(t, 1, b.until(id, queue.StateDead).Attempt)
		})
	}
	require.NoError(t, queue.NoRetry(nil))
	require.NoError(t, queue.Discard(nil))
}

// Conformance 23.
func TestDiscardedJobStandsInTheHistoryWithItsError(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return fmt.Errorf("so: %w", queue.Discard(errors.New("void"))) })
	id := b.insert(Note{})
	b.run()

	b.until(id, queue.StateDiscarded)
	failed := &queue.JobError{}
	require.ErrorAs(t, receive(t, b.heard), &failed)
	require.Equal(t, queue.StateDiscarded, failed.Job.State)
	failures, err := b.q.Failures(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Equal(t, "so: void", failures[0].Error)
	require.Zero(t, value[int](b, `SELECT count(*) FROM dead_jobs`))
}

// Conformance 149.
func TestSnoozedJobRunsLaterAndCountsNothing(t *testing.T) {
	b := setup(t)
	runs := make(chan int, 2)
	b.failWith(func(job *queue.Job[Note]) error {
		runs <- job.Attempt
		if len(runs) == 1 {
			return fmt.Errorf("not yet: %w", queue.Snooze(time.Hour))
		}
		return nil
	})
	id := b.insert(queue.With{Args: Note{}, MaxAttempts: 1})
	b.run()

	job := b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued && !j.ClaimedAt.IsZero() })
	require.Zero(t, job.Attempt)
	require.InDelta(t, 3600, value[float64](b,
		`SELECT extract(epoch FROM run_at - claimed_at)::float8 FROM jobs WHERE id = $1`, id), 30)
	b.dueNow(id)
	require.Equal(t, 1, b.until(id, queue.StateCompleted).Attempt)
	require.Equal(t, 1, receive(t, runs))
	require.Equal(t, 1, receive(t, runs))
	require.Empty(t, b.heard, "nothing has failed")
}

type patient struct {
	backoff func(count int, err error, job *queue.JobRow) time.Duration
}

func (p patient) Handle(context.Context, *queue.Job[Note]) error { return errors.New("again") }
func (p patient) Backoff(count int, err error, job *queue.JobRow) time.Duration {
	return p.backoff(count, err, job)
}

// Conformance 21, 22, 25.
func TestBackoffOfTheHandlerDecides(t *testing.T) {
	tests := map[string]struct {
		answer    func() time.Duration
		low, high time.Duration
	}{
		"its answer":          {func() time.Duration { return 2 * time.Hour }, 7200 * time.Second, 7220 * time.Second},
		"zero is default":     {func() time.Duration { return 0 }, 16 * time.Second, 36 * time.Second},
		"negative is default": {func() time.Duration { return -time.Hour }, 16 * time.Second, 36 * time.Second},
		"panic is default":    {func() time.Duration { panic("oh") }, 16 * time.Second, 36 * time.Second},
		"for ever is a century": {
			func() time.Duration { return 1<<63 - 1 }, 876_000 * time.Hour, 876_000*time.Hour + 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			asked := make(chan int, 1)
			queue.Handle(b.w, patient{func(count int, err error, job *queue.JobRow) time.Duration {
				asked <- count
				require.EqualError(t, err, "again")
				require.Equal(t, 2, job.Attempt)
				return test.answer()
			}})
			id := b.insert(Note{})
			b.exec(`UPDATE jobs SET attempt = 1 WHERE id = $1`, id) // one failure came before
			b.run()

			require.Equal(t, 1, receive(t, asked))
			b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued && j.Attempt == 2 })
			wait := b.waited(id)
			require.GreaterOrEqual(t, wait, test.low)
			require.Less(t, wait, test.high)
			if name == "panic is default" {
				b.hears("Backoff of kind note panicked: oh")
			}
		})
	}
}

// hears waits for OnError to be told of an error that contains text.
func (b *bench) hears(text string) error {
	b.t.Helper()
	for {
		if err := receive(b.t, b.heard); strings.Contains(err.Error(), text) {
			return err
		}
	}
}

// Conformance 13, 69, 135.
func TestPanicAndGoexitAreFailuresWithAStack(t *testing.T) {
	tests := map[string]struct {
		do   func()
		text string
	}{
		"panic":          {func() { panic("ouch") }, "panic: ouch"},
		"panic an error": {func() { panic(errors.New("ouch")) }, "panic: ouch"},
		"nil map":        {func() { write(nil) }, "panic: assignment to entry in nil map"},
		"Goexit":         {func() { runtime.Goexit() }, "handler called runtime.Goexit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.w.Queues[0].Slots = 2
			b.failWith(func(job *queue.Job[Note]) error {
				if job.Args.Text == "bad" {
					test.do()
				}
				return nil
			})
			var bad, good []int64
			for range 4 { // twice the slots
				bad = append(bad, b.insert(Note{Text: "bad"}))
			}
			for range 10 {
				good = append(good, b.insert(Note{}))
			}
			b.run()
			for _, id := range good {
				b.until(id, queue.StateCompleted)
			}
			for _, id := range bad {
				b.untilJob(id, func(job *queue.JobRow) bool {
					return job.State == queue.StateQueued && job.Attempt == 1
				})
				failures, err := b.q.Failures(t.Context(), b.db, id)
				require.NoError(t, err)
				require.Len(t, failures, 1)
				require.Contains(t, failures[0].Error, test.text)
				require.Contains(t, failures[0].Stack, "retry_test.go", "the stack leads to the handler")
				require.LessOrEqual(t, len(failures[0].Stack), 16<<10)
			}
			require.NoError(t, b.stopped())
		})
	}
}

func write(m map[string]int) { m["x"] = 1 }

type panickingError struct{ in string }

func (e *panickingError) Error() string {
	if e.in == "Error" {
		panic("in Error")
	}
	return "odd"
}

func (e *panickingError) Is(error) bool {
	if e.in == "Is" {
		panic("in Is")
	}
	return false
}

type ouroboros struct{ next error }

func (e *ouroboros) Error() string { return "bites its tail" }
func (e *ouroboros) Unwrap() error { return e.next }

// Conformance 15, 19.
func TestStrangeErrorsAreFailuresAndHoldUpNothing(t *testing.T) {
	circular := &ouroboros{}
	circular.next = &ouroboros{next: circular}
	tests := map[string]struct {
		err  error
		text string
	}{
		"NUL":            {errors.New("a\x00b"), "a␀b"},
		"broken UTF-8":   {errors.New("a\xffb"), "a\uFFFDb"},
		"long":           {errors.New(strings.Repeat("ä", 20_000)), strings.Repeat("ä", 9_992) + " … (cut)"},
		"empty":          {errors.New(""), ""},
		"circular":       {circular, "bites its tail"},
		"panic in Error": {&panickingError{in: "Error"}, "whose Error method panicked: in Error"},
		"panic in Is":    {&panickingError{in: "Is"}, "panicked: in Is"},
		"nil pointer":    {(*panickingError)(nil), "panicked: runtime error: invalid memory"},
	}
	b := setup(t)
	b.failWith(func(job *queue.Job[Note]) error { return tests[job.Args.Text].err })
	ids := make(map[string]int64)
	for name := range tests {
		ids[name] = b.insert(Note{Text: name})
	}
	var good []int64
	for range 20 {
		good = append(good, b.insert(Note{}))
	}
	b.run()
	for _, id := range good {
		b.until(id, queue.StateCompleted)
	}
	for name, test := range tests {
		b.untilJob(ids[name], func(j *queue.JobRow) bool { return j.State == queue.StateQueued && j.Attempt == 1 })
		failures, err := b.q.Failures(t.Context(), b.db, ids[name])
		require.NoError(t, err)
		require.Len(t, failures, 1, name)
		require.Contains(t, failures[0].Error, test.text, name)
	}
}

type hasty struct{ limit time.Duration }

func (h hasty) Handle(ctx context.Context, _ *queue.Job[Note]) error {
	<-ctx.Done()
	return fmt.Errorf("gave up: %w", context.Cause(ctx))
}
func (h hasty) Timeout(*queue.JobRow) time.Duration { return h.limit }

// Conformance 134.
func TestTimeoutEndsTheContextAndIsAFailure(t *testing.T) {
	b := setup(t)
	queue.Handle(b.w, hasty{20 * time.Millisecond})
	id := b.insert(Note{})
	b.run()

	failed := &queue.JobError{}
	require.ErrorAs(t, receive(t, b.heard), &failed)
	require.ErrorIs(t, failed, queue.ErrTimeout)
	require.Equal(t, "gave up: queue: attempt ran out of time (20ms)", failed.Err.Error(), "said once")
	require.Equal(t, 1, b.untilJob(id, func(j *queue.JobRow) bool { return j.State == queue.StateQueued }).Attempt)
}

// Conformance 62.
func TestArgsThatDoNotDecodeLeaveAJobDead(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return nil })
	id := b.insert(Note{})
	b.exec(`UPDATE jobs SET args = '{"text": {"not": "text"}}' WHERE id = $1`, id)
	b.run()

	require.Equal(t, 1, b.until(id, queue.StateDead).Attempt)
	b.hears("args do not decode into queue_test.Note")
}

type number struct {
	N any `json:"n"`
}

func (number) Kind() string { return "number" }

// Conformance 127.
func TestLargeNumbersArriveUnchanged(t *testing.T) {
	b := setup(t)
	got := make(chan string, 1)
	queue.HandleFunc(b.w, func(_ context.Context, job *queue.Job[number]) error {
		got <- fmt.Sprint(job.Args.N)
		return nil
	})
	b.insert(number{N: int64(1111111111111111111)})
	b.run()
	require.Equal(t, "1111111111111111111", receive(t, got))
}

// Conformance 26: a kind without a handler.
func TestUnknownKindWaitsAndIsReportedOnce(t *testing.T) {
	b := setup(t)
	b.failWith(func(*queue.Job[Note]) error { return nil })
	strange := b.insert(number{})
	b.insert(number{})
	known := b.insert(Note{})
	b.run()

	b.until(known, queue.StateCompleted)
	b.hears(`kind "number" in queue "default" has no handler in this worker`)
	job, err := b.q.Get(t.Context(), b.db, strange)
	require.NoError(t, err)
	require.Equal(t, queue.StateQueued, job.State)
	require.Zero(t, job.Attempt)
	require.Empty(t, b.heard)
}
