// Here: "rowlock bench scale", and the processes that it starts.

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
)

// asWorker is the flag that makes scale one of the processes that it starts. It is for
// scale, not for people.
const asWorker = "as-worker"

func newBenchScale(b *benchmark) *cobra.Command {
	o := bench.ScaleOptions{Jobs: 200_000, Runs: 3, Processes: []int{1, 2, 4, 8}}
	worker := false
	v := verb[bench.ScaleResult]{
		measure: func(
			ctx context.Context, db *pgxpool.Pool, p bench.Progress,
		) (r bench.ScaleResult, err error) {
			if o.Command, err = scaleWorker(db); err != nil {
				return r, err
			}
			o.Progress = p
			return bench.Scale(ctx, db, o)
		},
		found: func(r bench.ScaleResult) bool { return len(r.Processes) > 0 },
		print: printScale,
	}
	cmd := &cobra.Command{
		Use:   "scale",
		Short: "How fast several worker processes drain one queue",
		Long: `Scale inserts jobs and has 1, 2, 4 and 8 processes drain them, each a worker with its
default settings and a handler that does nothing. The clock runs from when the queue is
opened to all of them, standing ready, until the database says that all jobs are finished.

Where one process already keeps the server busy, more of them are no faster: then see that
they are not much slower either. Each figure is the median of its runs.` + exitCodes(),
		Example: `  rowlock bench scale
  rowlock bench scale --processes 1,3 --jobs 1000000
  rowlock bench scale --json | jq '.processes[].jobs_per_second'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if worker {
				return b.workForScale(cmd)
			}
			err := cmp.Or(atLeast("jobs", o.Jobs, 1), atLeast("runs", o.Runs, 1),
				eachAtLeast("processes", o.Processes, 1))
			if err != nil {
				return err
			}
			return v.run(b, cmd)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Jobs, "jobs", o.Jobs, "how many `jobs` each run has")
	f.IntVar(&o.Runs, "runs", o.Runs, "how many `runs` each number of processes has")
	f.Var((*numbers)(&o.Processes), "processes", "`numbers` of processes")
	f.BoolVar(&worker, asWorker, false, "be one of the processes, until stdin ends")
	cobra.CheckErr(f.MarkHidden(asWorker))
	return cmd
}

// scaleWorker makes the commands for worker processes on the same database. How to reach
// that is in the environment, where no list of processes shows a password.
func scaleWorker(db *pgxpool.Pool) (func() *exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	env := os.Environ()
	if url := db.Config().ConnString(); url != "" {
		env = append(env, "DATABASE_URL="+url)
	}
	return func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Args = []string{"rowlock", "bench", "scale", "--" + asWorker}
		cmd.Env = env
		return cmd
	}, nil
}

// workForScale is the process that scale starts: a worker on the tables of the benchmark
// until stdin ends.
func (b *benchmark) workForScale(cmd *cobra.Command) error {
	// A Ctrl-C at the terminal reaches this process too; scale says when to end.
	signal.Ignore(os.Interrupt)
	database := b.inItsSchema()
	db, err := database.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer db.Close()
	return bench.WorkUntilEOF(cmd.Context(), db, cmd.InOrStdin())
}

func printScale(w io.Writer, r bench.ScaleResult) error {
	rows := newTable(w, "PROCESSES", "JOBS/S", "TO ONE", "RUNS")
	for _, p := range r.Processes {
		ratio := ""
		if p.RatioToOne > 0 {
			ratio = fmt.Sprintf("%.3f", p.RatioToOne)
		}
		err := rows.add(fmt.Sprint(p.Processes), number(p.JobsPerSecond), ratio,
			fmt.Sprint(len(p.Runs)))
		if err != nil {
			return err
		}
	}
	if err := rows.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nruns of %d jobs\n", r.Jobs)
	return err
}
