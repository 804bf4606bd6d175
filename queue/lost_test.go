package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// childURL names the variable that makes this test binary a worker process.
const childURL = "QUEUE_TEST_CHILD"

// runChild works Note jobs until it is killed. It says on stdout which it starts;
// one that says "die" kills its process, one that says "hang" never ends.
func runChild(url string) error {
	db, err := pgxpool.New(context.Background(), url)
	if err != nil {
		return err
	}
	w := &queue.Worker{
		DB: db, Queues: []queue.Queue{{Name: "default", Slots: 10}},
		Lease: 5 * time.Second, // how old a server must be before it declares anyone dead
	}
	queue.HandleFunc(w, func(ctx context.Context, job *queue.Job[Note]) error {
		fmt.Println("start", job.ID)
		switch job.Args.Text {
		case "die":
			p, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			return errors.Join(p.Kill(), context.Canceled)
		case "hang":
			<-ctx.Done()
		}
		return nil
	})
	return w.Run(context.Background())
}

// A child is a worker in a process of its own.
type child struct {
	cmd   *exec.Cmd
	lines chan string
}

func (b *bench) child() *child {
	b.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childURL+"="+b.db.Config().ConnString())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, cmd.Start())
	c := &child{cmd: cmd, lines: make(chan string, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			if strings.HasPrefix(s.Text(), "start ") {
				c.lines <- s.Text()
			}
		}
	}()
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	return c
}

// A worker process is killed. Its jobs run again elsewhere within seconds, on
// record as lost and not as failed, and its neighbours' jobs are not touched.
//
// Conformance 174.
func TestJobsOfAKilledProcessRunAgain(t *testing.T) {
	b := setup(t)
	c := b.child()
	var ids []int64
	for range 5 {
		ids = append(ids, b.insert(queue.With{Args: Note{Text: "hang"}, MaxAttempts: 1}))
	}
	for range ids {
		receive(t, c.lines)
	}
	b.failWith(succeed)
	b.run()
	require.NoError(t, c.cmd.Process.Kill())
	for _, id := range ids {
		job := b.until(id, queue.StateCompleted)
		require.Equal(t, 1, job.Attempt)
		require.Equal(t, 1, job.Lost)
	}
	require.Equal(t, 1, value[int](b, `SELECT count(*) FROM workers WHERE state = 'dead'`))
	require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
}

// Conformance 174: a job that kills its process does so three times.
func TestPoisonJobEndsDeadAndItsNeighboursDoNot(t *testing.T) {
	b := setup(t)
	b.insert(Note{Text: "die"})
	var good []int64
	for range 20 {
		good = append(good, b.insert(Note{}))
	}
	poison := good[0] - 1
	for range 3 {
		c := b.child()
		_, err := c.cmd.Process.Wait()
		require.NoError(t, err)
	}
	b.failWith(func(job *queue.Job[Note]) error {
		if job.Args.Text == "die" {
			return errors.New("it should not run here")
		}
		return nil
	})
	b.run()
	job := b.until(poison, queue.StateDead)
	require.Equal(t, 3, job.Lost)
	b.hears("killed its worker 3 times")
	for _, id := range good {
		require.Equal(t, 1, b.until(id, queue.StateCompleted).Attempt)
	}
	failures, err := b.q.Failures(t.Context(), b.db, poison)
	require.NoError(t, err)
	require.Len(t, failures, 1)
}

// Conformance 174: a suspect runs alone. Another one waits for it, other jobs do not.
func TestSuspectsRunOneAtATime(t *testing.T) {
	b := setup(t)
	g := newGate(true)
	queue.Handle(b.w, g)
	var suspects []int64
	for range 3 {
		id := b.insert(Note{})
		b.exec(`UPDATE jobs SET lost_count = 2 WHERE id = $1`, id)
		suspects = append(suspects, id)
	}
	b.run()
	receive(t, g.started)
	plain := b.insert(Note{})
	require.Equal(t, plain, receive(t, g.started), "no second suspect")
	close(g.open)
	for _, id := range suspects {
		job := b.until(id, queue.StateCompleted)
		require.Equal(t, 1, job.Attempt)
		require.Equal(t, 2, job.Lost)
	}
}

// Others took a worker for dead, which it was not. It cancels its handlers and goes
// on under a new number; what its handlers then say changes nothing.
func TestWorkerTakenForDeadGoesOnAnew(t *testing.T) {
	b := setup(t)
	g := newGate(true)
	queue.Handle(b.w, g)
	id := b.insert(Note{})
	b.run()
	receive(t, g.started)
	b.exec(`UPDATE workers SET state = 'dead', ended_at = now()`)
	require.ErrorIs(t, receive(t, g.causes), queue.ErrLost)
	b.hears("was taken for dead")
	receive(t, g.started) // claimed again, by the new number
	close(g.open)
	job := b.until(id, queue.StateCompleted)
	require.Equal(t, 1, job.Attempt)
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM workers`))
	require.Zero(t, value[int](b, `SELECT count(*) FROM job_failures`))
}

// What is claimed by a worker that has no row is taken too.
func TestJobOfAnUnknownWorkerRunsAgain(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	id := b.insert(Note{})
	b.exec(`UPDATE jobs SET state = 'running', token = 7, worker = 12345, attempt = 1,
		claimed_at = now() - interval '1 minute' WHERE id = $1`, id)
	b.run()
	require.Equal(t, 1, b.until(id, queue.StateCompleted).Lost)
}

// other registers a worker that is not there, whose last beat is so old.
func (b *bench) other(sinceBeat time.Duration, lease time.Duration) (id int64) {
	return value[int64](b, `
INSERT INTO workers (name, queues, slots, lease, beat_at)
VALUES ('other:1', '{}', 1, $2, now() - $1::interval) RETURNING id`, sinceBeat, lease)
}

// hold gives a job to a worker that is not there.
func (b *bench) hold(id, worker int64) {
	b.exec(`UPDATE jobs SET state = 'running', token = 7, worker = $2, attempt = 1,
		claimed_at = now() - interval '1 minute' WHERE id = $1`, id, worker)
}

func TestSilentWorkerWithItsLockHeldIsAliveForItsLease(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	conn, err := b.db.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	locked, silent := b.other(time.Hour, 2*time.Hour), b.other(time.Hour, time.Minute)
	for _, id := range []int64{locked, silent} {
		_, err = conn.Exec(t.Context(),
			`SELECT pg_advisory_lock('workers'::regclass::oid::integer, $1::integer)`, id)
		require.NoError(t, err)
	}
	held, lost := b.insert(Note{}), b.insert(Note{})
	b.hold(held, locked)
	b.hold(lost, silent)
	require.Eventually(t, func() bool { // a young server declares nobody dead
		return value[bool](b, `SELECT now() - pg_postmaster_start_time() > interval '1 s'`)
	}, patience, 10*time.Millisecond)
	b.exec(`UPDATE workers SET lease = '1 s' WHERE id = $1`, silent)
	b.run()
	require.Equal(t, 1, b.until(lost, queue.StateCompleted).Lost)
	job, err := b.q.Get(t.Context(), b.db, held)
	require.NoError(t, err)
	require.Equal(t, queue.StateRunning, job.State)

	_, err = conn.Exec(t.Context(), `SELECT pg_advisory_unlock_all()`)
	require.NoError(t, err)
	b.exec(`UPDATE workers SET lease = '1 s' WHERE id = $1`, locked)
	require.Equal(t, 1, b.until(held, queue.StateCompleted).Lost)
}

// After a restart of the server no lock is held and no beat is fresh.
func TestNobodyIsDeadWithinALeaseOfTheServersStart(t *testing.T) {
	b := setup(t)
	b.failWith(succeed)
	id := b.insert(Note{})
	b.hold(id, b.other(time.Hour, 1000*time.Hour))
	b.run()
	// Beats that look for the dead pass by.
	require.Eventually(t, func() bool {
		return value[bool](b, `
SELECT count(*) > 0 FROM workers WHERE name <> 'other:1' AND beat_at > started_at + interval '2 s'`)
	}, patience, 20*time.Millisecond)
	job, err := b.q.Get(t.Context(), b.db, id)
	require.NoError(t, err)
	require.Equal(t, queue.StateRunning, job.State)
}
