// Here: "worker demo", the main job from nothing to its summary.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/internal/cli"
)

type demoOptions struct {
	databaseURL string
	source      source
	out         string // folder, or "" for a new one
	exit        bool
	skipWaits   bool
	clean       bool
	asJSON      bool
	log         logOptions
}

func newDemo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Shows all of it on a throw-away Postgres",
		Long: `Demo loads orders and works them off: each is charged by a payment gateway that has
its faults, and confirmed by mail; then a file of all orders is exported. At the end
every order is held against the gateway's ledger and the mailbox.

Postgres is, in this order: --database-url or DATABASE_URL; what PGHOST, PGDATABASE or
PGSERVICE name; a throw-away server from the programs on this machine, which ends with
the demo; Docker. On a server that was there before, the demo works in the schema
rowlock_demo and leaves it there, for you to look at; --clean drops that of an earlier
demo first, and this one's in the end.

Files stay in the folder of --out: the mailbox (*.eml), the gateway's ledger, the
export and the worker's log. On a terminal the worker stays up afterwards, until
Ctrl-C, so that you can look around.

A job that failed waits for a minute or more. When only such jobs are left, the demo
moves them to the present, and says how much waiting it has skipped.

` + ordersFile,
		Example: `  worker demo
  worker demo --orders 2000 --exit --json
  worker demo --orders-file orders.csv --out /tmp/demo`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return newDemoRun(cmd, &o).run(cmd.Context(), o.source.check(cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.databaseURL, "database-url", "", "Postgres `URL` to use, and no other")
	o.source.flags(cmd, 500)
	f.StringVar(&o.out, "out", "", "`folder` for files; by default a new temporary one")
	f.BoolVar(&o.exit, "exit", false, "end when all is done, also on a terminal")
	f.BoolVar(&o.skipWaits, "skip-waits", true, "do not wait for jobs that wait for a retry")
	f.BoolVar(&o.clean, "clean", false, "drop the schema rowlock_demo, before and after")
	f.BoolVar(&o.asJSON, "json", false, "print the summary as one JSON object")
	o.log.flags(cmd, "error")
	return cmd
}

// A demoRun is one demo.
type demoRun struct {
	*demoOptions
	stdin          io.Reader
	stdout, stderr io.Writer
	progress       *progress
	settled, sent  *meter
	stay           bool // until Ctrl-C

	stage   stage
	load    *load
	skipped time.Duration

	mu      sync.Mutex // a third signal does not wait for those who hold what follows
	account *account
	told    bool
}

func newDemoRun(cmd *cobra.Command, o *demoOptions) *demoRun {
	stderr := cmd.ErrOrStderr()
	d := &demoRun{
		demoOptions: o,
		stdin:       cmd.InOrStdin(), stdout: cmd.OutOrStdout(), stderr: stderr,
		progress: newProgress(stderr),
		stay:     !o.exit && cli.IsTerminal(stderr),
		account:  &account{Exports: []exportLine{}},
	}
	d.stage.options, d.stage.progress = o, d.progress
	return d
}

// run plays the demo, unless something is wrong with its flags. Whatever happens, one
// summary is printed.
func (d *demoRun) run(ctx context.Context, wrong error) error {
	if wrong != nil {
		return join(wrong, d.tell())
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	urgent, hurry := context.WithCancel(context.WithoutCancel(ctx))
	defer hurry()
	d.stage.urgent, d.stage.lost = urgent, end
	err := obey(func() error { return d.play(ctx) }, func() { end(cli.ErrInterrupted) }, hurry)
	return join(err, d.tell())
}

// play does all of it and adds up, also if something went wrong.
func (d *demoRun) play(ctx context.Context) (err error) {
	defer func() {
		d.progress.close()
		err = join(err, d.stage.close())
	}()
	if err = d.work(ctx); failed(err) {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		err = join(err, d.stage.stopWorker()) // before we add up what it has done
	}
	d.progress.close()
	if sumErr := d.addUp(ctx); !failed(err) {
		err = join(err, sumErr)
	}
	if failed(err) || !d.stay {
		return err
	}
	if err := d.tell(); err != nil {
		return err
	}
	fmt.Fprintln(d.stderr, "The worker stays up. Ctrl-C ends it.")
	<-ctx.Done()
	if cause := context.Cause(ctx); cause != cli.ErrInterrupted {
		return cause
	}
	return err
}

// failed says that an error is more than rows of the orders file that were rejected.
func failed(err error) bool { return err != nil && err != errRejected }

// join is errors.Join, but a failure hides that rows were rejected.
func join(err, next error) error {
	switch {
	case next == nil:
		return err
	case !failed(err):
		return next
	}
	return errors.Join(err, next)
}

// work does the main job. Its error is errRejected if all went well but for rows of
// the orders file.
func (d *demoRun) work(ctx context.Context) error {
	if err := d.stage.setUp(ctx); err != nil {
		return err
	}
	d.load = &load{source: d.source, db: d.stage.db, stdin: d.stdin, progress: d.progress}
	loaded := d.load.run(ctx)
	if failed(loaded) {
		return loaded
	}
	d.settled, d.sent = d.progress.meter("settled", "orders"), d.progress.meter("sent", "mails")
	if err := d.settle(ctx); err != nil {
		return err
	}
	export := &exports.Export{Query: "orders", MailTo: "office@shop.example"}
	if err := requestExport(ctx, d.stage.db, export); err != nil {
		return err
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	return loaded
}

// addUp makes the account, as far as there is something to add up.
func (d *demoRun) addUp(ctx context.Context) error {
	if d.load == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	a, err := d.stage.books().account(ctx)
	a.WaitsSkipped = rounded(d.skipped.Seconds())
	d.mu.Lock()
	d.account = a
	d.mu.Unlock()
	if err != nil {
		return err
	}
	if found := a.Orders.Total; found != d.load.placed+d.load.rejected {
		a.problem("%d orders were placed and %d rejected, but %d are accounted for",
			d.load.placed, d.load.rejected, found)
	}
	a.auditFiles()
	return a.err()
}

// tell prints the summary, once.
func (d *demoRun) tell() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told {
		return nil
	}
	d.told = true
	if !d.asJSON && d.account.Orders.Total == 0 {
		return nil // a table of zeros tells a person nothing
	}
	d.account.tellProblems(d.stderr)
	if err := d.account.print(d.stdout, d.asJSON); err != nil || d.asJSON {
		return err
	}
	_, err := io.WriteString(d.stdout, d.stage.lookAround(d.stay))
	return err
}
