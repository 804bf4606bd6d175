// Here: wiring. What handles the shop's jobs, and with what.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// A shop is what its jobs reach outside of the database.
type shop struct {
	gateway *orders.Gateway
	mail    *smtpMailer
	exports *os.Root
	sentry  *sentryTracker // nil if there is none
	link    *url.URL       // of the export folder
}

// A shopPlan says where all of that is.
type shopPlan struct {
	gatewayURL, gatewayToken string
	smtpURL, mailFrom        string
	exportDir, exportURL     string
	sentryDSN                string
}

// open checks the plan and opens the export folder.
func (p *shopPlan) open() (*shop, error) {
	if err := checkGatewayURL(p.gatewayURL); err != nil {
		return nil, err
	}
	if p.smtpURL == "" {
		return nil, cli.Usagef("no mail server is named: give --smtp-url, or set SMTP_URL, " +
			`to a URL such as smtp://user:password@mail.example.com:587; ` +
			`"worker sandbox" prints one`)
	}
	mail, err := newSMTPMailer(p.smtpURL, p.mailFrom)
	if err != nil {
		return nil, cli.Usagef("--smtp-url (SMTP_URL), --mail-from (MAIL_FROM): %w", err)
	}
	link, err := p.link()
	if err != nil {
		return nil, err
	}
	var tracker *sentryTracker
	if p.sentryDSN != "" {
		if tracker, err = newSentryTracker(p.sentryDSN); err != nil {
			return nil, err
		}
	}
	dir, err := openExportDir(p.exportDir)
	if err != nil {
		return nil, err
	}
	gateway := &orders.Gateway{URL: p.gatewayURL, Token: p.gatewayToken}
	return &shop{gateway: gateway, mail: mail, exports: dir, link: link, sentry: tracker}, nil
}

func (s *shop) close() error {
	s.gateway.CloseIdleConnections()
	if s.sentry != nil {
		return errors.Join(s.sentry.close(), s.exports.Close())
	}
	return s.exports.Close()
}

func checkGatewayURL(text string) error {
	if text == "" {
		return cli.Usagef("no payment gateway is named: give --gateway-url, or set GATEWAY_URL, " +
			`to a URL such as https://pay.example.com/v1; "worker sandbox" prints one`)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return cli.Usagef("--gateway-url (GATEWAY_URL) is no URL " +
			"such as https://pay.example.com/v1")
	}
	return nil
}

// link is what a file's name is added to in a mail: the folder itself if no URL
// leads there.
func (p *shopPlan) link() (*url.URL, error) {
	if p.exportURL == "" {
		dir, err := filepath.Abs(p.exportDir)
		return &url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}, err
	}
	u, err := url.Parse(p.exportURL)
	if err != nil || u.Scheme == "" {
		return nil, cli.Usagef("--export-url (EXPORT_URL) is no URL such as " +
			"https://shop.example.com/exports")
	}
	return u, nil
}

// openExportDir opens a folder in which files can be made.
func openExportDir(path string) (*os.Root, error) {
	dir, err := os.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usagef("the export folder %s does not exist: create it, "+
			"or name another by --export-dir (EXPORT_DIR)", path)
	}
	if err != nil {
		return nil, cli.Usagef("--export-dir (EXPORT_DIR): %w", err)
	}
	probe := fmt.Sprintf(".worker-%d-%x", os.Getpid(), rand.Uint64())
	file, err := dir.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(file.Close(), dir.Remove(probe))
	}
	if err != nil {
		err = cli.Usagef("the export folder %s cannot be written: %w; "+
			"give yourself the right to, or name another by --export-dir (EXPORT_DIR)", path, err)
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// worker returns a worker that handles the shop's jobs.
func (s *shop) worker(db *pgxpool.Pool, queues []queue.Queue, log *slog.Logger) *queue.Worker {
	trackers := trackerList{logTracker{log}}
	if s.sentry != nil {
		trackers = append(trackers, s.sentry)
	}
	w := &queue.Worker{DB: db, Queues: queues, Logger: log, OnError: track(trackers)}
	q := &queue.Client{}
	queue.Handle(w, &jobs.OrderProcessor{DB: db, Queue: q, Gateway: s.gateway, Log: log})
	queue.Handle(w, &jobs.CustomerNotifier{DB: db, Mail: s.mail})
	queue.Handle(w, &jobs.Exporter{DB: db, Queue: q, Dir: s.exports})
	queue.Handle(w, &jobs.ExportMailer{DB: db, Mail: s.mail, URL: s.link})
	return w
}
