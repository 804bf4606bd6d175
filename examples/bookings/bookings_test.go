package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// A terminal is where somebody types commands.
type terminal struct {
	t  *testing.T
	db *pgxpool.Pool
}

func newTerminal(t *testing.T) terminal {
	t.Helper()
	t.Parallel()
	c := terminal{t, pgtest.New(t)}
	require.Empty(t, c.run("migrate"))
	return c
}

// run runs a command that succeeds and returns what it prints.
func (c terminal) run(args ...string) string {
	c.t.Helper()
	var out strings.Builder
	require.NoError(c.t, run(c.t.Context(), pgtest.URL(c.db), args, &out))
	return out.String()
}

// fail runs a command that fails and returns its error.
func (c terminal) fail(args ...string) error {
	c.t.Helper()
	err := run(c.t.Context(), pgtest.URL(c.db), args, io.Discard)
	require.Error(c.t, err)
	return err
}

// serve serves until the test stops it.
func (c terminal) serve(args ...string) *service {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	r, w := io.Pipe()
	s := &service{t: c.t, lines: make(chan string, 100), stop: stop, result: make(chan error, 1)}
	go func() {
		s.result <- run(ctx, pgtest.URL(c.db), append([]string{"serve"}, args...), w)
		_ = w.Close()
	}()
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			s.lines <- lines.Text()
		}
		close(s.lines)
	}()
	c.t.Cleanup(stop)
	return s
}

type service struct {
	t      *testing.T
	lines  chan string
	stop   context.CancelFunc
	result chan error
}

// line waits for the next line that the service prints.
func (s *service) line() string {
	s.t.Helper()
	select {
	case line := <-s.lines:
		return line
	case <-time.After(patience):
		require.FailNow(s.t, "the service prints nothing")
		return ""
	}
}

// stopped stops the service, which works its jobs to their ends and prints no more.
func (s *service) stopped() {
	s.t.Helper()
	s.stop()
	require.NoError(s.t, <-s.result)
	_, more := <-s.lines
	require.False(s.t, more)
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// states counts the reminders in each state.
func (c terminal) states() map[queue.State]int {
	c.t.Helper()
	states := make(map[queue.State]int)
	var q queue.Client
	for job, err := range q.List(c.t.Context(), c.db, queue.Filter{Kind: "remind"}) {
		require.NoError(c.t, err)
		states[job.State]++
	}
	return states
}

func TestGuestsAreReminded(t *testing.T) {
	c := newTerminal(t)
	require.Equal(t, "booking 1 is for Ada\n", c.run("book", "-in", "3h", "Ada"))
	require.Equal(t, "booking 2 is for Bob\n", c.run("book", "-in", "30m", "Bob"))
	s := c.serve()
	require.Contains(t, s.line(), "Bob, we expect you at ")
	s.stopped()

	lines := strings.Split(c.run("list"), "\n")
	require.Regexp(t, `^2 +Bob +\w{3} \d\d:\d\d +completed$`, lines[1])
	require.Regexp(t, `^1 +Ada +\w{3} \d\d:\d\d +queued$`, lines[2])
	var due bool
	require.NoError(t, c.db.QueryRow(t.Context(), `
SELECT run_at BETWEEN at - interval '61 minutes' AND at - interval '59 minutes'
  FROM bookings b JOIN jobs j ON j.id = b.reminder`).Scan(&due))
	require.True(t, due, "Ada is to be reminded an hour before")
}

func TestCancelTakesTheReminderAlong(t *testing.T) {
	c := newTerminal(t)
	c.run("book", "Ada")
	require.Equal(t, "booking 1 is cancelled, and its reminder cancelled\n", c.run("cancel", "1"))
	require.Equal(t, map[queue.State]int{queue.StateCancelled: 1}, c.states())
	require.NotContains(t, c.run("list"), "Ada")
	require.EqualError(t, c.fail("cancel", "1"), "there is no booking 1")
}

func TestCancelAfterTheReminder(t *testing.T) {
	c := newTerminal(t)
	c.run("book", "-in", "30m", "Ada")
	s := c.serve()
	s.line()
	s.stopped()
	require.Equal(t, "booking 1 is cancelled, and its reminder completed\n", c.run("cancel", "1"))
	require.NotContains(t, c.run("list"), "Ada")
}

func TestCancelWhileTheReminderIsSent(t *testing.T) {
	c := newTerminal(t)
	c.run("book", "-in", "30m", "Ada")
	w := &queue.Worker{DB: c.db, Queues: []queue.Queue{{Name: reminders, Slots: 1}}}
	started := make(chan struct{})
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Remind]) error {
		close(started)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	<-started
	require.Equal(t, "booking 1 is cancelled, and its reminder running\n",
		c.run("cancel", "1"))
	require.Eventually(t, func() bool { return c.states()[queue.StateCancelled] == 1 },
		patience, 5*time.Millisecond)
	stop()
	require.NoError(t, <-result)
}

func TestCancelLongAfterTheReminder(t *testing.T) {
	c := newTerminal(t)
	c.run("book", "Ada")
	var q queue.Client
	for job, err := range q.List(t.Context(), c.db, queue.Filter{}) {
		require.NoError(t, err)
		require.NoError(t, q.Delete(t.Context(), c.db, job.ID)) // as time would
	}
	require.Contains(t, c.run("list"), "long over")
	require.Equal(t, "booking 1 is cancelled, and its reminder long over\n", c.run("cancel", "1"))
}

func TestRemindersOnHold(t *testing.T) {
	c := newTerminal(t)
	c.run("hold")
	c.run("book", "-in", "30m", "Ada")
	s := c.serve()
	require.Contains(t, c.run("list"), "reminders are on hold, and 1 due\n")
	c.run("release")
	require.Contains(t, s.line(), "Ada")
	s.stopped()
	require.NotContains(t, c.run("list"), "hold")
}

func TestFailedReminderIsSentAgain(t *testing.T) {
	c := newTerminal(t)
	c.run("book", "-in", "30m", "Ada")
	c.run("book", "-in", "30m", "Bob")
	s := c.serve("-broken")
	for range 2 {
		require.Contains(t, s.line(), "refused")
	}
	s.stopped()
	require.Equal(t, map[queue.State]int{queue.StateDead: 2}, c.states())

	require.Equal(t, "booking 1 is cancelled, and its reminder cancelled\n", c.run("cancel", "1"))
	require.Equal(t, "reminders to be sent again: 1\n", c.run("again"))
	require.Equal(t, "reminders to be sent again: 0\n", c.run("again"))
	s = c.serve()
	require.Contains(t, s.line(), "Bob")
	s.stopped()
	require.Equal(t, map[queue.State]int{queue.StateCancelled: 1, queue.StateCompleted: 1},
		c.states())
}

func TestNobodyIsRemindedOfWhatIsOver(t *testing.T) {
	c := newTerminal(t)
	c.run("book", "-in", "-1m", "Ada")
	s := c.serve()
	require.Eventually(t, func() bool { return c.states()[queue.StateDiscarded] == 1 },
		patience, 5*time.Millisecond)
	s.stopped()
	require.Equal(t, "booking 1 is cancelled, and its reminder discarded\n", c.run("cancel", "1"))
}

func TestWhatIsNoCommandIsRefused(t *testing.T) {
	c := newTerminal(t)
	for _, args := range [][]string{
		{},
		{"eat"},
		{"book"},
		{"book", "Ada", "Bob"},
		{"book", "-in", "soon", "Ada"},
		{"cancel"},
		{"list", "1"},
		{"hold", "-in", "2h"},
	} {
		require.ErrorIs(t, c.fail(args...), errUsage, "%q", args)
	}
	require.ErrorContains(t, c.fail("cancel", "Ada"), `"Ada" is not the number of a booking`)
	require.EqualError(t, c.fail("cancel", "7"), "there is no booking 7")
	require.Empty(t, c.states())
}
