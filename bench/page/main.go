// Page keeps docs/benchmarks.md true: what stands there between markers, and its
// pictures, are made from the raw data in docs/benchmarks, and "page measure" makes
// those, by "rowlock bench" and by the comparison with other queues.
//
//	go run ./page                    # write the page anew
//	go run ./page measure            # what is not measured yet, and then the page
//	go run ./page measure --size quick --only drain,latency
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
)

// The page and its raw data, from the folder bench.
const (
	pageFile = "../docs/benchmarks.md"
	dataDir  = "../docs/benchmarks"
)

func main() {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, release) // the first Ctrl-C ends a measurement, a second one kills
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "measure" {
		s, err := parse(args[1:], stderr)
		if err == nil {
			err = s.measure(ctx)
		}
		if err != nil {
			return err
		}
		args = nil
	}
	if len(args) > 0 {
		return fmt.Errorf("%q: there is only \"measure\", or nothing", args[0])
	}
	return write(pageFile, dataDir)
}

// parse reads the flags of "measure".
func parse(args []string, stderr io.Writer) (*sitting, error) {
	s := &sitting{dir: dataDir, log: stderr}
	f := flag.NewFlagSet("measure", flag.ContinueOnError)
	f.SetOutput(stderr)
	size := f.String("size", "full", "quick, full or long")
	only := f.String("only", "", "`names` of measurements; all if it is empty")
	f.BoolVar(&s.anew, "anew", false, "measure also what is measured already")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag: see --help", f.Arg(0))
	}
	all, err := plan(*size)
	if err != nil || *only == "" {
		s.plan = all
		return s, err
	}
	for name := range strings.SplitSeq(*only, ",") {
		i := slices.IndexFunc(all, func(m measurement) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("--only %s: there is no %q; there are %s",
				*only, name, strings.Join(names(all), ", "))
		}
		s.plan = append(s.plan, all[i])
	}
	return s, nil
}
