// Here: how fast several worker processes drain one queue.

package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ScaleOptions say what [Scale] measures.
type ScaleOptions struct {
	Jobs      int   // of each run; at least 1
	Runs      int   // of each number of processes; at least 1
	Processes []int // each at least 1

	// Command returns a process that calls [WorkUntilEOF] with its stdin, on the same
	// database and schema. What it writes on stderr says why it ended too early.
	Command  func() *exec.Cmd
	Progress Progress // may be nil
}

// A ScaleResult is what was found for each number of processes.
type ScaleResult struct {
	Jobs      int              `json:"jobs"` // of each run
	Processes []ScaleProcesses `json:"processes"`
}

// ScaleProcesses are what the runs with a number of processes come to: medians.
type ScaleProcesses struct {
	Processes     int       `json:"processes"`
	JobsPerSecond float64   `json:"jobs_per_second"` // of all of them
	RatioToOne    float64   `json:"ratio_to_one,omitzero"`
	Runs          []float64 `json:"runs"` // jobs a second of each
}

// Scale measures how fast worker processes, each with its default settings and a handler
// that does nothing, drain one queue together. The clock runs from when the queue is
// opened to all of them, standing ready, until the database says that all jobs are
// finished. Runs of all numbers take turns.
//
// After an error it returns the runs that it has along with it.
func Scale(ctx context.Context, db *pgxpool.Pool, o ScaleOptions) (r ScaleResult, err error) {
	if o.Jobs < 1 || o.Runs < 1 || len(o.Processes) == 0 || slices.Min(o.Processes) < 1 {
		return r, fmt.Errorf("bench: scale: %d jobs in %d runs by processes %v "+
			"is nothing to measure", o.Jobs, o.Runs, o.Processes)
	}
	o.Progress = o.Progress.orNone()
	runs := make(map[int][]float64)
	numbers := slices.Compact(slices.Sorted(slices.Values(o.Processes)))
	defer func() { r = o.result(numbers, runs) }()
	for n := range o.Runs {
		for _, processes := range numbers {
			name := fmt.Sprintf("%d processes, %d of %d", processes, n+1, o.Runs)
			took, err := o.run(ctx, db, name, processes)
			if err != nil {
				return r, fmt.Errorf("%s: %w", name, err)
			}
			runs[processes] = append(runs[processes], rounded(float64(o.Jobs)/took.Seconds(), 1))
		}
	}
	return r, nil
}

func (o ScaleOptions) result(numbers []int, runs map[int][]float64) ScaleResult {
	r := ScaleResult{Jobs: o.Jobs}
	one := median(slices.Clone(runs[1]))
	for _, n := range numbers {
		if len(runs[n]) == 0 {
			continue
		}
		p := ScaleProcesses{
			Processes: n, JobsPerSecond: median(slices.Clone(runs[n])), Runs: runs[n],
		}
		if one > 0 {
			p.RatioToOne = rounded(p.JobsPerSecond/one, 3)
		}
		r.Processes = append(r.Processes, p)
	}
	return r
}

// run drains the jobs by so many processes, and returns how long it took.
func (o ScaleOptions) run(
	ctx context.Context, db *pgxpool.Pool, name string, processes int,
) (took time.Duration, err error) {
	l, err := loadPaused(ctx, db, o.Jobs, o.Progress)
	if err != nil {
		return 0, err
	}
	f, err := o.startFleet(processes)
	defer func() { err = cmp.Or(err, f.end(err == nil)) }()
	if err != nil {
		return 0, err
	}
	o.Progress(name, 0, o.Jobs)
	if err := f.ready(ctx, db); err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := db.Exec(ctx, resumeSQL); err != nil {
		return 0, err
	}
	if err := l.awaitNearlyAll(ctx, f.check); err != nil {
		return 0, err
	}
	ended, err := l.awaitFinished(ctx, f.check)
	return ended.Sub(began), err
}

const standsSQL = `-- bench.stands
SELECT EXISTS (SELECT FROM jobs WHERE id = $1)`

// awaitNearlyAll returns when a job near the end has gone, for which it looks by the
// primary key: that costs next to nothing.
func (l *load) awaitNearlyAll(ctx context.Context, check func() error) error {
	const pause, tail = 10 * time.Millisecond, 20_000
	one := l.last - int64(min(tail, l.jobs/5))
	for stands := true; stands; {
		if err := l.db.QueryRow(ctx, standsSQL, one).Scan(&stands); err != nil {
			return err
		}
		if err := errors.Join(check(), wait(ctx, pause)); err != nil {
			return err
		}
	}
	return nil
}

// A fleet is processes that work.
type fleet struct {
	processes []*process
	ended     chan *process
}

type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr bytes.Buffer
	waited sync.WaitGroup
	err    error // once waited
}

// startFleet returns what it has started also after an error.
func (o ScaleOptions) startFleet(n int) (*fleet, error) {
	f := &fleet{ended: make(chan *process, n)}
	for range n {
		p := &process{cmd: o.Command()}
		p.cmd.Stderr = &p.stderr
		stdin, err := p.cmd.StdinPipe()
		if err != nil {
			return f, err
		}
		p.stdin = stdin
		if err := p.cmd.Start(); err != nil {
			return f, fmt.Errorf("start a worker process: %w", err)
		}
		f.processes = append(f.processes, p)
		p.waited.Go(func() {
			p.err = p.cmd.Wait()
			f.ended <- p
		})
	}
	return f, nil
}

const readySQL = `-- bench.ready
SELECT count(*) FROM workers WHERE state = 'live' AND asleep`

// ready returns when all processes have asked for jobs in vain.
func (f *fleet) ready(ctx context.Context, db *pgxpool.Pool) error {
	const pause, patience = 10 * time.Millisecond, 30 * time.Second
	for began := time.Now(); ; {
		var ready int
		if err := db.QueryRow(ctx, readySQL).Scan(&ready); err != nil {
			return err
		}
		if ready == len(f.processes) {
			return nil
		}
		if time.Since(began) > patience {
			return fmt.Errorf("%d of %d worker processes are ready after %v", ready,
				len(f.processes), patience)
		}
		if err := errors.Join(f.check(), wait(ctx, pause)); err != nil {
			return err
		}
	}
}

// check returns an error if a process has ended.
func (f *fleet) check() error {
	select {
	case p := <-f.ended:
		return fmt.Errorf("a worker process ended: %w: %s", cmp.Or(p.err, io.EOF),
			bytes.TrimSpace(p.stderr.Bytes()))
	default:
		return nil
	}
}

// end has the processes end, by leave of what they hold or at once, and returns when
// they have.
func (f *fleet) end(leave bool) (err error) {
	const patience = 10 * time.Second
	for _, p := range f.processes {
		_ = p.stdin.Close()
		if !leave {
			_ = p.cmd.Process.Kill()
		}
	}
	for _, p := range f.processes {
		timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
		p.waited.Wait()
		timer.Stop()
		if p.err != nil {
			err = fmt.Errorf("a worker process ended: %w: %s", p.err,
				bytes.TrimSpace(p.stderr.Bytes()))
		}
	}
	return err
}

// WorkUntilEOF runs one worker with its default settings, as a process of [Scale] does,
// until stdin ends: also when whoever holds the other end was killed.
func WorkUntilEOF(ctx context.Context, db *pgxpool.Pool, stdin io.Reader) error {
	c := startCrew(ctx, db, nil, doing(func(int) {}))
	eof := make(chan struct{})
	go func() {
		defer close(eof)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		select {
		case <-eof:
			return c.leave(nil)
		case <-ctx.Done():
			return c.leave(ctx.Err())
		case <-ticker.C:
			if err := c.check(); err != nil {
				return c.leave(err)
			}
		}
	}
}
