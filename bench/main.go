// Bench does the same work with rowlock and with other job queues, on the same servers
// by turns, and prints how fast each was. README.md beside it says what to make of that.
//
//	go run .                                  # everybody that this machine can run
//	go run . --only rowlock,river --runs 5
//	go run . --workloads steady --steady 30s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, release) // the first Ctrl-C cleans up, a second one kills
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// An output says where the results go.
type output struct {
	json bool
	path string
}

// run does what the arguments say. What was measured before an error is printed too.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, out, err := parse(args, stderr)
	if err != nil {
		return err
	}
	s := &stores{log: stderr}
	if s.postgres, err = startPostgres(ctx, o.Database); err != nil {
		return err
	}
	defer func() {
		if left := s.close(); left != nil {
			s.say("clean up: %v", left)
			err = errors.Join(err, left)
		}
	}()
	version, settings, err := s.serverSettings(ctx)
	if err != nil {
		return err
	}
	s.say("Postgres %s: %s", version, settings)
	c := &comparison{options: o, stores: s, abouts: map[string]About{}}
	err = c.compare(ctx)
	return errors.Join(err, out.write(c.report(version, settings), stdout, stderr))
}

// write saves and prints a report that has something in it.
func (o output) write(r *Report, stdout, stderr io.Writer) error {
	if len(r.Runs) == 0 {
		return nil
	}
	path, err := r.save(o.path)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "raw data: %s\n\n", path)
	if !o.json {
		return printTable(stdout, r)
	}
	content, err := r.json()
	if err != nil {
		return err
	}
	_, err = stdout.Write(content)
	return err
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (o Options, out output, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("only", strings.Join(keys, ","), "who is `compared`")
	workloads := f.String("workloads", strings.Join([]string{insert, drain, steady}, ","),
		"what they `do`")
	f.IntVar(&o.Jobs, "jobs", 100_000, "`jobs` of an insert or drain at most, see --least")
	f.IntVar(&o.Runs, "runs", 3, "`runs` of each")
	f.DurationVar(&o.Least, "least", 5*time.Second,
		"slow peers get fewer jobs, so many that a drain takes this `long`")
	f.DurationVar(&o.Steady, "steady", 10*time.Second, "how `long` a steady run inserts")
	f.StringVar(&o.Database, "database-url", "",
		"a Postgres to use, in which databases rowlock_bench_… are made and dropped; "+
			"default DATABASE_URL, or else a throw-away one, as durable as in production")
	f.BoolVar(&out.json, "json", false, "print JSON instead of a table")
	f.StringVar(&out.path, "out", "", "a `file` for the raw data; default results/DATE.json")
	if err := f.Parse(args); err != nil {
		return o, out, err
	}
	if f.NArg() > 0 {
		return o, out, fmt.Errorf("%q is no flag: see --help", f.Arg(0))
	}
	if o.Jobs < 1 || o.Runs < 1 {
		return o, out, fmt.Errorf("--jobs %d and --runs %d: give at least 1 of each",
			o.Jobs, o.Runs)
	}
	if o.Only, err = choose("--only", *only, keys); err != nil {
		return o, out, err
	}
	o.Workloads, err = choose("--workloads", *workloads, []string{insert, drain, steady})
	return o, out, err
}

// choose reads a list of names, and returns them in the order of those that there are.
func choose(flag, list string, all []string) (chosen []string, err error) {
	named := strings.Split(list, ",")
	for _, name := range named {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("%s %s: there is no %q; there are %s",
				flag, list, name, strings.Join(all, ", "))
		}
	}
	for _, name := range all {
		if slices.Contains(named, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}
