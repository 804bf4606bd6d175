// Here: what the demo stands on: a folder, a Postgres, the sandbox and a worker.

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/internal/localpg"
	"github.com/rowlock/rowlock/internal/sandbox"
	"github.com/rowlock/rowlock/migrations"
	"github.com/rowlock/rowlock/queue"
)

// A stage is set up once and closed once.
type stage struct {
	options  *demoOptions
	progress *progress
	urgent   context.Context   // its end hurries the worker's
	lost     func(cause error) // called if the worker ends by itself

	dir    string
	server *localpg.Server
	db     *pgxpool.Pool
	log    *slog.Logger

	drain   func() error   // stops the worker
	closers []func() error // to be called from the last to the first
}

func (s *stage) sandboxDir() string { return filepath.Join(s.dir, "sandbox") }
func (s *stage) exportDir() string  { return filepath.Join(s.dir, "exports") }
func (s *stage) logFile() string    { return filepath.Join(s.dir, "worker.log") }

func (s *stage) books() *books {
	return &books{db: s.db, sandbox: s.sandboxDir(), exportDir: s.exportDir()}
}

// setUp ends with a worker that waits for jobs.
func (s *stage) setUp(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.makeFolder, s.openLog, s.openDatabase, s.migrate, s.startShop,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close takes down what is set up.
func (s *stage) close() error {
	var errs []error
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		errs = append(errs, s.closers[last]())
		s.closers = s.closers[:last]
	}
	return errors.Join(errs...)
}

func (s *stage) onClose(f func() error) { s.closers = append(s.closers, f) }

// makeFolder makes a folder that holds nothing of an earlier demo: a sandbox that
// remembers goes with one database.
func (s *stage) makeFolder(context.Context) (err error) {
	if s.options.out == "" {
		s.dir, err = os.MkdirTemp("", "rowlock-demo-")
	} else if s.dir, err = filepath.Abs(s.options.out); err == nil {
		if err = os.Mkdir(s.dir, 0o755); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err == nil {
		err = errors.Join(os.Mkdir(s.sandboxDir(), 0o755), os.Mkdir(s.exportDir(), 0o755))
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return cli.Usagef("--out: %s holds an earlier demo: name a new folder", s.dir)
	case err != nil:
		return cli.Usagef("--out: %w; "+
			"name a folder in one that is there and that you may write to", err)
	}
	fmt.Fprintln(s.progress, "files:", s.dir)
	return nil
}

// openLog sends all of the worker's log to a file, and what is worse than the level
// asked for to stderr.
func (s *stage) openLog(context.Context) error {
	file, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	s.onClose(file.Close)
	all := logOptions{format: s.options.log.format, level: "debug"}
	toFile, err := all.logger(file)
	if err != nil {
		return err
	}
	toPerson, err := s.options.log.logger(s.progress)
	if err != nil {
		return err
	}
	s.log = slog.New(slog.NewMultiHandler(toFile.Handler(), toPerson.Handler()))
	return nil
}

func (s *stage) openDatabase(ctx context.Context) (err error) {
	s.server, err = localpg.Start(ctx, localpg.Options{URL: s.options.databaseURL})
	if err != nil {
		if ctx.Err() == nil {
			err = cli.NoDatabase(err)
		}
		return err
	}
	s.onClose(s.server.Close)
	fmt.Fprintln(s.progress, "database:", s.server.How)
	queues, err := parseQueues(defaultQueues)
	if err != nil {
		return err
	}
	database := cli.Database{Name: programName, URL: s.server.URL, Conns: connsFor(queues)}
	if !s.server.Throwaway {
		database.Schema = demoSchema
	}
	if s.db, err = database.Open(ctx); err != nil {
		return err
	}
	s.onClose(func() error { s.db.Close(); return nil })
	if s.server.Throwaway {
		return nil
	}
	return s.takeSchema(ctx)
}

func (s *stage) migrate(ctx context.Context) error {
	if _, err := migrations.Up(ctx, s.db); err != nil {
		return err
	}
	_, err := migrations.UpShop(ctx, s.db)
	return err
}

// startShop starts the sandbox and a worker that uses it.
func (s *stage) startShop(ctx context.Context) error {
	// It ends when it is closed, after the worker, and not with ctx.
	servers, err := sandbox.Start(context.WithoutCancel(ctx), s.sandboxDir(),
		sandbox.Options{Logger: s.log})
	if err != nil {
		return err
	}
	s.onClose(servers.Close)
	plan := shopPlan{
		gatewayURL: servers.GatewayURL, smtpURL: servers.SMTPURL, mailFrom: defaultMailFrom,
		exportDir: s.exportDir(),
	}
	shop, err := plan.open()
	if err != nil {
		return err
	}
	s.onClose(shop.close)
	queues, err := parseQueues(defaultQueues)
	if err != nil {
		return err
	}
	w := shop.worker(s.db, queues, s.log)
	w.StopTimeout = 10 * time.Second
	s.startWorker(ctx, w)
	return nil
}

// startWorker has w run until it is stopped.
func (s *stage) startWorker(ctx context.Context, w *queue.Worker) {
	ctx, drain := context.WithCancel(context.WithoutCancel(ctx))
	stopHurry := context.AfterFunc(s.urgent, w.StopNow)
	ended := make(chan struct{})
	var result error
	go func() {
		defer close(ended)
		result = w.Run(ctx)
		s.lost(fmt.Errorf("the worker ended: %w", result)) // too late to matter, if by our wish
	}()
	s.onClose(func() error { stopHurry(); return nil })
	s.drain = sync.OnceValue(func() error {
		drain()
		<-ended
		return result
	})
	s.onClose(s.stopWorker)
}

// stopWorker lets the worker end in order, if there is one.
func (s *stage) stopWorker() error {
	if s.drain == nil {
		return nil
	}
	return s.drain()
}

// lookAround says where to look. A throw-away database is worth a look only while
// it lives.
func (s *stage) lookAround(lives bool) string {
	if s.db == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nLook around\n"+
		"  mailbox   %s\n  ledger    %s\n  exports   %s\n  log       %s\n",
		filepath.Join(s.sandboxDir(), "mail"), filepath.Join(s.sandboxDir(), "ledger.jsonl"),
		s.exportDir(), s.logFile())
	if lives || !s.server.Throwaway && !s.options.clean {
		fmt.Fprintf(&b, "  database  %s\n", s.psql())
	}
	return b.String()
}
