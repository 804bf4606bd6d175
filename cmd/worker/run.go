// Here: "worker run". What has to be there is looked for first, then jobs are
// worked until a signal comes.

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

// defaultMailFrom is where mails come from in a shop that does not say.
const defaultMailFrom = "shop@rowlock.example"

type runOptions struct {
	database        cli.Database
	queues          string
	shop            shopPlan
	healthAddr      string
	shutdownTimeout time.Duration
	log             logOptions
}

func newRun() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Works jobs until it is stopped",
		Long: `Run works the shop's jobs until it is stopped. Any number of them share a database.

The first SIGINT or SIGTERM lets running jobs end within --shutdown-timeout and gives
the rest back; a second one ends them now; a third ends the process with code 130.
A job that is given back has not failed.

It does not start unless the database answers and has its tables ("worker migrate"
makes them), the export folder can be written and the health address is free. A
payment gateway or mail server that is down is only warned of: jobs that need it are
tried again.

The mail server's URL is smtp://user:password@host:587 or smtps://…; for smtp it may
end in ?tls=none, offered or required, which is the default for another machine.
Without an export URL, mails name the file. The other users of this machine see flags,
but not variables: passwords and tokens belong into those.

The health address serves /livez (the loops turn; a database that is away does not
matter) and /readyz (jobs are claimed).`,
		Example: `  worker run --gateway-url https://pay.example.com/v1 \
    --smtp-url smtp://mail.example.com:587
  export DATABASE_URL=… GATEWAY_URL=… SMTP_URL=… EXPORT_DIR=/var/exports; worker run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := o.log.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), log)
		},
	}
	f := cmd.Flags()
	o.database.Flags(cmd.Flags())
	f.StringVar(&o.queues, "queues", defaultQueues, "`name:slots` of each queue to work")
	f.StringVar(&o.shop.gatewayURL, "gateway-url", "", "`URL` of the payment gateway")
	f.StringVar(&o.shop.gatewayToken, "gateway-token", "", "bearer `token` for the payment gateway")
	f.StringVar(&o.shop.smtpURL, "smtp-url", "", "`URL` of the mail server")
	f.StringVar(&o.shop.mailFrom, "mail-from", defaultMailFrom, "`address` that mails come from")
	f.StringVar(&o.shop.exportDir, "export-dir", ".", "`folder` that exports are written to")
	f.StringVar(&o.shop.exportURL, "export-url", "", "`URL` at which customers find that folder")
	f.StringVar(&o.shop.sentryDSN, "sentry-dsn", "", "`DSN` of a Sentry project to tell of errors")
	f.StringVar(&o.healthAddr, "health-addr", defaultHealthAddr,
		"`address` of /livez and /readyz, or off")
	f.DurationVar(&o.shutdownTimeout, "shutdown-timeout", 25*time.Second,
		"how long a stop waits for running jobs")
	o.log.flags(cmd, "info")
	return cmd
}

// run works until a signal comes.
func (o *runOptions) run(ctx context.Context, log *slog.Logger) error {
	queues, err := parseQueues(o.queues)
	if err != nil {
		return err
	}
	if o.shutdownTimeout <= 0 {
		return cli.Usagef("--shutdown-timeout (SHUTDOWN_TIMEOUT) is %v: "+
			"give one above 0, such as 25s", o.shutdownTimeout)
	}
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	urgent, hurry := context.WithCancel(context.WithoutCancel(ctx))
	defer hurry()
	return obey(func() error {
		return o.open(ctx, queues, log, func(w *queue.Worker) error {
			defer context.AfterFunc(urgent, w.StopNow)()
			return wrongSetting(w.Run(ctx))
		})
	}, drain, hurry)
}

// open looks for all that has to be there, and calls work with a worker that has it.
func (o *runOptions) open(
	ctx context.Context, queues []queue.Queue, log *slog.Logger, work func(*queue.Worker) error,
) (err error) {
	shop, err := o.shop.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.close()) }()
	o.database.Conns = connsFor(queues)
	db, err := openMigrated(ctx, &o.database)
	if err != nil {
		return err
	}
	defer db.Close()
	w := shop.worker(db, queues, log)
	w.StopTimeout = o.shutdownTimeout
	closeHealth, err := serveHealth(ctx, o.healthAddr, w, log)
	if err != nil {
		return err
	}
	defer closeHealth()

	warnOfSilence(ctx, &o.shop, log)
	sweepExports(ctx, db, shop, log)
	return work(w)
}

// wrongSetting makes what a Worker refuses in its fields an error of usage.
func wrongSetting(err error) error {
	if bad, ok := errors.AsType[*queue.InvalidError](err); ok {
		return cli.Usagef("--queues (QUEUES): %s %s", bad.Field, bad.Reason)
	}
	return err
}

// warnOfSilence looks whether the servers outside answer. One that does not is no
// reason to stop: its jobs are tried again, and there are others.
func warnOfSilence(ctx context.Context, plan *shopPlan, log *slog.Logger) {
	for _, server := range []struct{ name, flag, url string }{
		{"payment gateway", "--gateway-url (GATEWAY_URL)", plan.gatewayURL},
		{"mail server", "--smtp-url (SMTP_URL)", plan.smtpURL},
	} {
		u, err := url.Parse(server.url)
		if err != nil {
			continue // others have looked at it
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443", "smtps": "465"}[u.Scheme]
		}
		if port == "" {
			port = "587"
		}
		dialer := net.Dialer{Timeout: 3 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
		if err != nil {
			log.Warn(fmt.Sprintf("the %s does not answer; start it or correct %s: "+
				"until then its jobs fail and are tried again", server.name, server.flag),
				"error", err)
			continue
		}
		_ = conn.Close()
	}
}

// sweepExports removes what a killed worker has left in the export folder.
func sweepExports(ctx context.Context, db *pgxpool.Pool, shop *shop, log *slog.Logger) {
	removed, err := exports.Sweep(ctx, db, shop.exports)
	if err != nil {
		log.Warn("leftovers in the export folder stay", "error", err)
	}
	if removed > 0 {
		log.Info("removed leftovers from the export folder", "files", removed)
	}
}
