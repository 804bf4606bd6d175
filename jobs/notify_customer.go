// Here: NotifyCustomer.

package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// NotifyCustomer asks for an order's confirmation to be mailed.
type NotifyCustomer struct {
	OrderID int64 `json:"order_id"`
}

// Kind names the job.
func (NotifyCustomer) Kind() string { return "notify_customer" }

// InsertDefaults tries a mail six times: five retries.
func (NotifyCustomer) InsertDefaults() queue.With {
	return queue.With{Queue: "notifications", MaxAttempts: 6}
}

// A CustomerNotifier handles [NotifyCustomer].
type CustomerNotifier struct {
	DB   *pgxpool.Pool
	Mail Mailer
}

// Handle mails the confirmation, once as far as SMTP allows. It discards the job
// of an order that is gone or not paid for, and of an address that the mail server
// refuses for good.
func (n *CustomerNotifier) Handle(ctx context.Context, job *queue.Job[NotifyCustomer]) error {
	return deliver(ctx, job, delivery{n.DB, n.Mail, func(
		ctx context.Context, tx pgx.Tx,
	) (*Mail, error) {
		o, err := orders.Get(ctx, tx, job.Args.OrderID)
		if errors.Is(err, orders.ErrNotFound) {
			return nil, queue.Discard(err)
		}
		if err != nil {
			return nil, err
		}
		if o.Status != orders.Processed {
			return nil, queue.Discard(fmt.Errorf("order %d is %s, not processed", o.ID, o.Status))
		}
		return confirmation(o), nil
	}})
}

func confirmation(o *orders.Order) *Mail {
	name := oneLine(o.CustomerName)
	body := letter{to: name, paragraphs: []string{
		fmt.Sprintf("thank you for your order %s. It is paid: your card was charged %s %s.",
			o.Number, orders.FormatAmount(o.Amount), o.Currency),
		"Your shop",
	}}
	return &Mail{
		Key:     fmt.Sprintf("order-%d-confirmation", o.ID),
		Kind:    "confirmation",
		To:      o.CustomerEmail,
		ToName:  name,
		Subject: oneLine("Your order " + o.Number),
		Text:    body.text(),
		HTML:    body.html(),
	}
}

// Timeout leaves room for a slow mail server.
func (*CustomerNotifier) Timeout(*queue.JobRow) time.Duration { return mailTimeout }
