// Here: "worker load". Orders come from a file or are made; each is stored with
// its job.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// errRejected ends a load of which some rows were no orders.
var errRejected error = &cli.ExitError{
	Code: codeRejected, Err: errors.New("some rows were rejected; the rest is loaded"),
}

// A source is where orders come from.
type source struct {
	orders int    // so many are made, if there is no file
	seed   uint64 // the same seed makes the same orders
	file   string // "-" is standard input
}

func (s *source) flags(cmd *cobra.Command, ordersByDefault int) {
	f := cmd.Flags()
	f.IntVar(&s.orders, "orders", ordersByDefault, "how many orders to make, `N`")
	f.Uint64Var(&s.seed, "seed", 1, "`number` that made orders follow from")
	f.StringVar(&s.file, "orders-file", "", "CSV `file` to read orders from, or - for stdin")
}

// ordersFile is what the help says of the file.
const ordersFile = `An orders file is CSV with the header

  ` + orders.Header + `

The amount is a decimal above 0 with at most two places; placed_at is a date or an
RFC 3339 time; the currency has three letters. A byte-order mark, CRLF and quoted line
breaks are fine. A row that is no order is rejected on stderr with its line number and
the reason, and the rest goes on.`

func newLoad() *cobra.Command {
	var (
		database cli.Database
		from     source
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Stores orders, each with its job",
		Long: `Load stores orders, each in one transaction with the job that processes it.

Made orders are realistic: their cards meet each fault of the sandbox, one order is
placed with two jobs, one is deleted before its job runs, and one customer's address
is refused by the sandbox's mail server.

` + ordersFile,
		Example: `  worker load --orders 2000
  worker load --orders-file orders.csv
  zcat orders.csv.gz | worker load --orders-file -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := from.check(cmd); err != nil {
				return err
			}
			ctx, release := cli.Interruptible(cmd.Context())
			defer release()
			db, err := openMigrated(ctx, &database)
			if err != nil {
				return err
			}
			defer db.Close()
			progress := newProgress(cmd.ErrOrStderr())
			defer progress.close()
			l := &load{source: from, db: db, stdin: cmd.InOrStdin(), progress: progress}
			err = l.run(ctx)
			progress.close()
			return errors.Join(l.print(cmd.OutOrStdout(), asJSON), err)
		},
	}
	database.Flags(cmd.Flags())
	from.flags(cmd, 0)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the counts as JSON")
	return cmd
}

// check returns what is wrong with the flags.
func (s *source) check(cmd *cobra.Command) error {
	made := cmd.Flags().Changed("orders")
	switch {
	case s.file != "" && made:
		return cli.Usagef("--orders and --orders-file (ROWLOCK_ORDERS_FILE) exclude each other: " +
			"give one")
	case s.file == "" && s.orders == 0 && !made:
		return cli.Usagef("no orders are named: " +
			"give --orders N to make some, or --orders-file FILE")
	case s.file == "" && (s.orders < 1 || s.orders > maxMade):
		return cli.Usagef("--orders is %d, not from 1 to %d", s.orders, maxMade)
	}
	return nil
}

func (s *source) String() string {
	if s.file != "" {
		return s.file
	}
	return fmt.Sprintf("%d made orders, seed %d", s.orders, s.seed)
}

// A load brings the orders of a source into the database.
type load struct {
	source
	db       *pgxpool.Pool
	stdin    io.Reader
	progress *progress

	placed, rejected int64
	took             time.Duration
}

// run places what it can. Its error is errRejected if there were bad rows, and
// jobs.ErrNoOrders if there was no good one.
func (l *load) run(ctx context.Context) (err error) {
	began := time.Now()
	id, err := l.begin(ctx)
	if err != nil {
		return err
	}
	if l.file != "" {
		err = l.fromFile(ctx)
	} else {
		err = l.make(ctx)
	}
	l.took = time.Since(began)
	if endErr := l.end(ctx, id); endErr != nil {
		err = errors.Join(err, endErr)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return cli.ErrInterrupted
	}
	if err == nil && l.rejected > 0 {
		return errRejected
	}
	return err
}

func (l *load) fromFile(ctx context.Context) error {
	file := l.stdin
	var size int64
	if l.file != "-" {
		f, err := os.Open(l.file)
		if err != nil {
			return cli.Usagef("--orders-file: %w; name a CSV file, or - for standard input", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		file = f
	}
	meter := l.progress.meter("read", "bytes")
	defer meter.done()
	counted := &countedReader{r: file, onRead: func(n int64) { meter.set(n, size) }}
	rows := orders.ReadFile(bufio.NewReaderSize(counted, 1<<16))
	placed, err := l.loader(func(bad *orders.RowError) {
		fmt.Fprintf(l.progress, "rejected: %v\n", bad)
	}).Load(ctx, rows)
	l.placed += int64(placed)
	if errors.Is(err, jobs.ErrNoOrders) {
		return fmt.Errorf("%s: %w: see the reasons above", l.file, err)
	}
	return err
}

// loader returns a Loader that counts what it rejects and tells of it.
func (l *load) loader(tell func(*orders.RowError)) *jobs.Loader {
	return &jobs.Loader{
		DB: l.db, Queue: &queue.Client{},
		Rejected: func(bad *orders.RowError) {
			l.rejected++
			tell(bad)
		},
	}
}

// print writes the counts.
func (l *load) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			Placed   int64 `json:"placed"`
			Rejected int64 `json:"rejected"`
		}{l.placed, l.rejected})
	}
	_, err := fmt.Fprintf(w, "%d orders placed, %d rows rejected, in %.1f s\n",
		l.placed, l.rejected, l.took.Seconds())
	return err
}

// A countedReader tells how much was read from r.
type countedReader struct {
	r      io.Reader
	n      int64
	onRead func(n int64)
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.onRead(c.n)
	return n, err
}

const beginLoadSQL = `-- worker.begin_load
INSERT INTO loads (source) VALUES ($1) RETURNING id`

// begin puts the load on record.
func (l *load) begin(ctx context.Context) (id int64, err error) {
	name := []rune(l.source.String())
	name = name[:min(len(name), 1000)]
	if err := l.db.QueryRow(ctx, beginLoadSQL, string(name)).Scan(&id); err != nil {
		return 0, fmt.Errorf("record the load: %w", err)
	}
	return id, nil
}

const endLoadSQL = `-- worker.end_load
UPDATE loads SET ended_at = clock_timestamp(), placed = $2, rejected = $3 WHERE id = $1`

// end records the counts, also of a load that broke off: they are what has become
// of its rows.
func (l *load) end(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := l.db.Exec(ctx, endLoadSQL, id, l.placed, l.rejected); err != nil {
		return fmt.Errorf("record the load's end: %w", err)
	}
	return nil
}
