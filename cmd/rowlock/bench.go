// Here: "rowlock bench", and what its commands have in common.

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/localpg"
)

// A benchmark is what all commands of "rowlock bench" take.
type benchmark struct {
	*options
	schema bench.SchemaOptions
}

func newBench(o *options) *cobra.Command {
	b := &benchmark{options: o}
	cmd := &cobra.Command{
		Use:        "bench",
		SuggestFor: []string{"benchmark", "measure", "perf"},
		Short:      "Measures the queue on your own Postgres",
		Long: `Bench measures the queue on a database of yours: how fast a worker drains it, alone
or while others insert, how soon an idle worker starts a job, what an insert costs, and
what becomes of these when the tables are full or an old transaction stays open. Where
there is something to compare with, plain SQL does it on the same server in the same
minutes.

It works in the schema rowlock_bench, which it makes and drops, also after Ctrl-C. It
refuses a database in which another schema has live jobs or live workers, since each
would slow down the other.

Where no database is named, it starts a Postgres of its own from the server binaries of
this machine, as durable as one in production (fsync, full_page_writes and
synchronous_commit are on), and removes it afterwards.` + exitCodes(),
		Example: `  rowlock bench drain
  rowlock bench steady --for 5m
  rowlock bench latency --rate 1000 --for 30s
  rowlock bench insert --json
  rowlock bench drain --json | jq .ratio_to_limit`,
	}
	f := cmd.PersistentFlags()
	f.BoolVar(&b.schema.Clean, "clean", false,
		"drop the schema rowlock_bench first, if it is there")
	f.BoolVar(&b.schema.Anyway, "anyway", false,
		"measure also while other jobs are in the database")
	cmd.AddCommand(newBenchDrain(b), newBenchLimit(b), newBenchSteady(b), newBenchXmin(b),
		newBenchTx(b), newBenchPool(b), newBenchScale(b),
		newBenchBacklog(b), newBenchBurst(b), newBenchIdle(b), newBenchLatency(b),
		newBenchInsert(b))
	return cmd
}

// A verb is what one command of "rowlock bench" measures.
type verb[R any] struct {
	measure func(ctx context.Context, db *pgxpool.Pool, p bench.Progress) (R, error)
	found   func(R) bool             // whether there is something to print
	print   func(io.Writer, R) error // for people
}

// run measures, and prints what was found, also before an error.
func (v verb[R]) run(b *benchmark, cmd *cobra.Command) error {
	return b.run(cmd, func(
		ctx context.Context, db *pgxpool.Pool, p bench.Progress, f *facts,
	) error {
		r, err := v.measure(ctx, db, p)
		if !v.found(r) {
			return err
		}
		w := cmd.OutOrStdout()
		if b.json {
			return errors.Join(err, cli.PrintJSON(w, joined{r, f}))
		}
		return errors.Join(err, f.print(w), v.print(w, r))
	})
}

// joined are two objects, which JSON has as one.
type joined [2]any

// MarshalJSON puts the fields of the second behind those of the first.
func (j joined) MarshalJSON() ([]byte, error) {
	first, err := json.Marshal(j[0])
	if err != nil {
		return nil, err
	}
	second, err := json.Marshal(j[1])
	if err != nil {
		return nil, err
	}
	return slices.Concat(first[:len(first)-1], []byte(","), second[1:]), nil
}

// A measurement is a verb at work: it tells how far it is, and prints what it has found.
type measurement func(ctx context.Context, db *pgxpool.Pool, p bench.Progress, f *facts) error

// atLeast returns an error if the flag has less than it needs.
func atLeast(flag string, n, least int) error {
	if n < least {
		return cli.Usagef("--%s is %d: give at least %d", flag, n, least)
	}
	return nil
}

// eachAtLeast returns an error if the flag has a number that is less than it needs.
func eachAtLeast(flag string, all numbers, least int) error {
	for _, n := range all {
		if err := atLeast(flag, n, least); err != nil {
			return err
		}
	}
	return nil
}

// numbers are the value of a flag, such as 1,2,4.
type numbers []int

// String returns them as they are given.
func (n *numbers) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(*n), " ", ","), "[]")
}

// Set reads them.
func (n *numbers) Set(given string) error {
	*n = nil
	for part := range strings.SplitSeq(given, ",") {
		one, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return errors.New("give whole numbers such as 1,2,4")
		}
		*n = append(*n, one)
	}
	return nil
}

// Type is what pflag calls them.
func (*numbers) Type() string { return "numbers" }

// longest is what a measurement may be told to take.
const longest = time.Hour

// checkTime returns an error if the flag is not a time that one would wait.
func checkTime(flag string, d, least time.Duration) error {
	switch {
	case d <= 0 || d > longest:
		return cli.Usagef("--%s is %v: give a time up to 1h, such as 15s", flag, d)
	case d < least:
		return cli.Usagef("--%s is %v: give at least %v", flag, d, least)
	}
	return nil
}

// run runs m in the schema of the benchmark.
func (b *benchmark) run(cmd *cobra.Command, m measurement) error {
	ctx, release := cli.Interruptible(cmd.Context())
	defer release()
	return explain(ctx, b.onDatabase(ctx, cmd, m))
}

// onDatabase opens the database that is named, or starts one.
func (b *benchmark) onDatabase(ctx context.Context, cmd *cobra.Command, m measurement) (err error) {
	database := b.inItsSchema()
	if database.URL == "" {
		server, err := localpg.Start(ctx, localpg.Options{Durable: true})
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if err != nil {
			return cli.NoDatabase(err)
		}
		defer func() {
			if err := server.Close(); err != nil {
				cli.Tell(cmd, err)
			}
		}()
		cmd.PrintErrln("database: " + cli.Printable(server.How))
		database.URL = server.URL
	}
	db, err := database.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	return b.inSchema(ctx, cmd, db, m)
}

// inItsSchema is the database, as benchmarks connect to it.
func (b *benchmark) inItsSchema() cli.Database {
	const leastConns = 4 // as in a pool that nobody has set up
	database := b.database
	database.Schema = bench.SchemaName
	database.Conns = int32(max(leastConns, runtime.NumCPU()))
	return database
}

func (b *benchmark) inSchema(
	ctx context.Context, cmd *cobra.Command, db *pgxpool.Pool, m measurement,
) error {
	schema, err := bench.TakeSchema(ctx, db, b.schema)
	if err != nil {
		return err
	}
	defer func() {
		if err := schema.Drop(); err != nil {
			cli.Tell(cmd, err)
		}
	}()
	f, err := readFacts(ctx, db)
	if err != nil {
		return err
	}
	line := &progressLine{w: cmd.ErrOrStderr(), shown: cli.IsTerminal(cmd.ErrOrStderr())}
	defer line.clear()
	return m(ctx, db, line.tell, f)
}

// Facts are what figures go with, as --json prints them in the same object.
type facts struct {
	Postgres string            `json:"postgres"`
	Settings map[string]string `json:"settings"`
	CPUs     int               `json:"cpus"` // of this machine, which may not be the server's
	Go       string            `json:"go"`
	Rowlock  string            `json:"rowlock"`

	told []string // the settings, for people
}

func readFacts(ctx context.Context, db *pgxpool.Pool) (*facts, error) {
	version, settings, err := bench.Server(ctx, db)
	if err != nil {
		return nil, err
	}
	b := readBuild()
	f := &facts{
		Postgres: version, Settings: make(map[string]string), CPUs: runtime.NumCPU(),
		Go: cmp.Or(b.Go, runtime.Version()), Rowlock: b.Version,
	}
	if b.Revision != "" {
		f.Rowlock += ", commit " + b.Revision
	}
	for _, s := range settings {
		f.Settings[s.Name] = s.Value
		f.told = append(f.told, s.Name+"="+s.Value)
	}
	return f, nil
}

// print writes f for people.
func (f *facts) print(w io.Writer) error {
	const indent = "\n          "
	_, err := fmt.Fprintf(w, "postgres  %s\nsettings  %s\nmachine   %d CPUs, %s, rowlock %s\n\n",
		cli.Printable(f.Postgres), strings.Join(wrapped(f.told), indent), f.CPUs, f.Go, f.Rowlock)
	return err
}

// wrapped puts words on lines of a readable width.
func wrapped(words []string) (lines []string) {
	const width = 76
	line := ""
	for _, word := range words {
		word = cli.Printable(word)
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// A progressLine is the last line of a terminal, written over and over.
type progressLine struct {
	mu    sync.Mutex
	w     io.Writer
	shown bool
	told  time.Time
}

// tell is a [bench.Progress].
func (p *progressLine) tell(what string, done, total int) {
	const pause = 100 * time.Millisecond
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shown || done < total && time.Since(p.told) < pause {
		return
	}
	p.told = time.Now()
	fmt.Fprintf(p.w, "\r\x1b[K%s: %d of %d", what, done, total)
}

// clear leaves an empty line behind.
func (p *progressLine) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown && !p.told.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.told = time.Time{}
	}
}
