// Here: mail, as jobs send it. A job gives a Mail and a Mailer; how a Mailer
// speaks SMTP is for the program that makes one.

package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

// A Mail is one message to one person.
type Mail struct {
	Key     string // what it is about; the same key gives the same Message-ID
	Kind    string // "confirmation" or "export_ready"
	To      string // a bare address
	ToName  string // in one line; "" if there is none
	Subject string // in one line
	Text    string // the plain form; HTML says the same
	HTML    string
	Date    time.Time // when it was first to be sent: the same each time
}

// A Mailer sends mail. Its error is a [*RefusedError] if trying again is vain.
type Mailer interface {
	Send(ctx context.Context, m *Mail) error
}

// A RefusedError is a mail server's permanent no: a reply of 5yz that is about
// this mail, not about us.
type RefusedError struct {
	To  string
	Err error
}

// Error names the recipient and the reply.
func (e *RefusedError) Error() string { return fmt.Sprintf("mail to %s refused: %v", e.To, e.Err) }

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// mailTimeout bounds an attempt to send one mail.
const mailTimeout = 2 * time.Minute

// A delivery is what it takes to send one kind of mail.
type delivery struct {
	db      *pgxpool.Pool
	mailer  Mailer
	compose func(ctx context.Context, tx pgx.Tx) (*Mail, error) // Date is filled in later
}

// deliver sends what d composes, and ends job. The mail is on record before it is
// sent, and as sent in the transaction that ends the job. If this process dies
// between the two, the mail is sent again, with the same Message-ID and Date: no
// mail server can be asked what became of the first.
//
// A mail that is refused for good is on record as refused, and its job ends as
// discarded with the refusal in its history: nothing is tried again, until an
// operator who has seen to the address retries the job. A mail that was sent by
// another job is not sent again.
func deliver[T queue.Args](ctx context.Context, job *queue.Job[T], d delivery) error {
	var mail *Mail
	sent := false
	err := transact(ctx, d.db, func(tx pgx.Tx) (err error) {
		if mail, err = d.compose(ctx, tx); err != nil {
			return err
		}
		if sent, err = recordSending(ctx, tx, mail); err != nil || sent {
			return err
		}
		return job.Fence(ctx, tx)
	})
	if err != nil || sent {
		return err
	}

	err = d.mailer.Send(ctx, mail)
	refused, isRefused := errors.AsType[*RefusedError](err)
	if err != nil && !isRefused {
		return fmt.Errorf("send %s: %w", mail.Key, err)
	}

	if isRefused {
		return refuse(ctx, job, d.db, mail.Key, refused)
	}
	return transact(ctx, d.db, func(tx pgx.Tx) error {
		if err := recordSent(ctx, tx, mail.Key); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// refuse puts a refusal on record and returns what discards job.
func refuse[T queue.Args](
	ctx context.Context, job *queue.Job[T], db *pgxpool.Pool, key string, why *RefusedError,
) error {
	err := transact(ctx, db, func(tx pgx.Tx) error {
		if err := recordRefused(ctx, tx, key, why); err != nil {
			return err
		}
		return job.Fence(ctx, tx)
	})
	if err != nil {
		return errors.Join(why, err)
	}
	return queue.Discard(why)
}

const sendingSQL = `-- jobs.mail_sending
INSERT INTO mail_deliveries (key, kind, recipient) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE
   SET state = 'sending', attempts = mail_deliveries.attempts + 1,
       recipient = EXCLUDED.recipient, refused_at = NULL, refusal = NULL
 WHERE mail_deliveries.state <> 'sent'
RETURNING created_at`

// recordSending puts m on record and sets its Date, or reports that it was sent.
func recordSending(ctx context.Context, tx pgx.Tx, m *Mail) (sent bool, err error) {
	err = tx.QueryRow(ctx, sendingSQL, m.Key, m.Kind, m.To).Scan(&m.Date)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("record mail %s: %w", m.Key, err)
	}
	return false, nil
}

const sentSQL = `-- jobs.mail_sent
UPDATE mail_deliveries SET state = 'sent', sent_at = clock_timestamp()
 WHERE key = $1 AND state = 'sending'`

func recordSent(ctx context.Context, tx pgx.Tx, key string) error {
	if _, err := tx.Exec(ctx, sentSQL, key); err != nil {
		return fmt.Errorf("record mail %s as sent: %w", key, err)
	}
	return nil
}

const refusedSQL = `-- jobs.mail_refused
UPDATE mail_deliveries SET state = 'refused', refused_at = clock_timestamp(), refusal = $2
 WHERE key = $1 AND state = 'sending'`

func recordRefused(ctx context.Context, tx pgx.Tx, key string, why *RefusedError) error {
	if _, err := tx.Exec(ctx, refusedSQL, key, storable(why.Err.Error())); err != nil {
		return fmt.Errorf("record mail %s as refused: %w", key, err)
	}
	return nil
}

// storable makes a mail server's words a text that their column takes.
func storable(reply string) string {
	reply = strings.ToValidUTF8(strings.ReplaceAll(reply, "\x00", "\u2400"), "\uFFFD")
	if runes := []rune(reply); len(runes) > 1000 {
		reply = string(runes[:1000])
	}
	if reply == "" {
		return "no reason given"
	}
	return reply
}
