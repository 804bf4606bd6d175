// Here: ExportReady.

package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/queue"
)

// ExportReady asks for the link to a completed export to be mailed.
type ExportReady struct {
	ExportID int64 `json:"export_id"`
}

// Kind names the job.
func (ExportReady) Kind() string { return "export_ready" }

// InsertDefaults tries a mail six times: five retries.
func (ExportReady) InsertDefaults() queue.With {
	return queue.With{Queue: "notifications", MaxAttempts: 6}
}

// An ExportMailer handles [ExportReady].
type ExportMailer struct {
	DB   *pgxpool.Pool
	Mail Mailer
	URL  *url.URL // of the export folder: a file's name is added to it
}

// Handle mails the link. It discards the job of an export that is gone or has no
// file, and of an address that the mail server refuses for good.
func (m *ExportMailer) Handle(ctx context.Context, job *queue.Job[ExportReady]) error {
	return deliver(ctx, job, delivery{m.DB, m.Mail, func(
		ctx context.Context, tx pgx.Tx,
	) (*Mail, error) {
		e, err := exports.Get(ctx, tx, job.Args.ExportID)
		if errors.Is(err, exports.ErrNotFound) {
			return nil, queue.Discard(err)
		}
		if err != nil {
			return nil, err
		}
		if e.Status != exports.Completed {
			return nil, queue.Discard(fmt.Errorf("export %d is %s, not completed", e.ID, e.Status))
		}
		return m.ready(e), nil
	}})
}

func (m *ExportMailer) ready(e *exports.Export) *Mail {
	body := letter{
		paragraphs: []string{
			fmt.Sprintf("your export of %s is ready: %d rows, %d bytes.", e.Query, e.Rows, e.Bytes),
			"SHA-256: " + e.SHA256,
			"You find it here:",
		},
		link: m.URL.JoinPath(e.Path).String(),
	}
	return &Mail{
		Key:     fmt.Sprintf("export-%d-ready", e.ID),
		Kind:    "export_ready",
		To:      e.MailTo,
		Subject: oneLine("Your export of " + e.Query + " is ready"),
		Text:    body.text(),
		HTML:    body.html(),
	}
}

// Timeout leaves room for a slow mail server.
func (*ExportMailer) Timeout(*queue.JobRow) time.Duration { return mailTimeout }
