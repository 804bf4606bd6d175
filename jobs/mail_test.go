package jobs_test

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/queue"
)

var link = &url.URL{Scheme: "https", Host: "shop.example", Path: "/exports"}

// deliveries returns the mails on record.
func (s *shop) deliveries() []string {
	s.Helper()
	return s.rows(`SELECT kind, recipient, state, attempts, refusal FROM mail_deliveries ORDER BY key`)
}

func TestConfirmationSaysTheSameInBothForms(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := anOrder("A-1")
	o.CustomerName = "Ann\r\n\"<b>\" Lee\x1b"
	s.in(func(ctx context.Context, tx pgx.Tx) error { return jobs.PlaceOrder(ctx, tx, s.queue, o) })
	s.work()
	require.Len(t, s.mailer.sent, 1)
	m := s.mailer.sent[0]
	require.Equal(t, "ann@example.com", m.To)
	require.Equal(t, `Ann "<b>" Lee`, m.ToName)
	require.Equal(t, "Your order A-1", m.Subject)
	require.Equal(t, "Dear Ann \"<b>\" Lee,\n\n"+
		"thank you for your order A-1. It is paid: your card was charged 19.90 EUR.\n\n"+
		"Your shop\n", m.Text)
	require.Equal(t, "<!DOCTYPE html>\n<html lang=\"en\"><body>\n"+
		"<p>Dear Ann &#34;&lt;b&gt;&#34; Lee,</p>\n"+
		"<p>thank you for your order A-1. It is paid: your card was charged 19.90 EUR.</p>\n"+
		"<p>Your shop</p>\n</body></html>\n", m.HTML)
	require.Equal(t, []string{
		`{"kind":"confirmation","recipient":"ann@example.com","state":"sent","attempts":1,"refusal":null}`,
	}, s.deliveries())
}

func TestMailThatFailedIsSentAgainAsTheSame(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var tried atomic.Bool
	s.mailer.answer = func(context.Context, *jobs.Mail) error {
		if !tried.Swap(true) {
			return errors.New("451 try again later")
		}
		return nil
	}
	s.place("A-1")
	s.work()
	require.Equal(t, []string{
		`{"kind":"confirmation","recipient":"ann@example.com","state":"sending","attempts":1,"refusal":null}`,
	}, s.deliveries())
	s.hurry()
	s.work()
	require.Equal(t, []string{
		`{"kind":"confirmation","recipient":"ann@example.com","state":"sent","attempts":2,"refusal":null}`,
	}, s.deliveries())
	require.Len(t, s.mailer.sent, 2)
	require.Equal(t, s.mailer.sent[0], s.mailer.sent[1], "key and date, too")
	require.False(t, s.mailer.sent[0].Date.IsZero())
	require.Equal(t, []string{"1 notify_customer completed", "1 process_order completed"}, s.jobs())
}

func TestRefusedMailIsDiscardedAndOnRecord(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.mailer.answer = func(_ context.Context, m *jobs.Mail) error {
		return &jobs.RefusedError{To: m.To, Err: errors.New("550 no \x00 such mailbox")}
	}
	s.place("A-1")
	s.work()
	require.Equal(t, []string{`{"kind":"confirmation","recipient":"ann@example.com","state":"refused",` +
		`"attempts":1,"refusal":"550 no ` + "\u2400" + ` such mailbox"}`}, s.deliveries())
	require.Equal(t, []string{"1 notify_customer discarded", "1 process_order completed"}, s.jobs())
	require.Len(t, s.mailer.sent, 1)
	require.Len(t, s.problems.list, 1)
	require.Equal(t, queue.StateDiscarded, s.problems.list[0].Job.State)

	// Another job, once the address is mended, sends it.
	s.mailer.answer = nil
	o := s.orders()[0]
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE orders SET customer_email = 'lee@example.com'`)
		require.NoError(t, err)
		_, err = s.queue.Insert(ctx, tx, jobs.NotifyCustomer{OrderID: o.ID})
		return err
	})
	s.work()
	require.Equal(t, []string{
		`{"kind":"confirmation","recipient":"lee@example.com","state":"sent","attempts":2,"refusal":null}`,
	}, s.deliveries())
}

func TestMailIsNotSentTwiceForTwoJobs(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.place("A-1")
	s.work()
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		_, err := s.queue.Insert(ctx, tx, jobs.NotifyCustomer{OrderID: o.ID})
		return err
	})
	s.work()
	require.Equal(t, []string{"1 process_order completed", "2 notify_customer completed"}, s.jobs())
	require.Len(t, s.mailer.sent, 1)
}

// A claim that was taken while the mail was under way records nothing: neither that
// it was sent nor that it was refused.
func TestMailWithoutAClaimIsNotOnRecord(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]bool{"sent": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			var tried atomic.Bool
			s.mailer.answer = func(ctx context.Context, m *jobs.Mail) error {
				if tried.Swap(true) {
					require.Equal(t, []string{`{"kind":"confirmation","recipient":"ann@example.com",` +
						`"state":"sending","attempts":2,"refusal":null}`}, s.deliveries())
					return nil
				}
				s.steal(ctx)
				if refuses {
					return &jobs.RefusedError{To: m.To, Err: errors.New("550 no")}
				}
				return nil
			}
			s.place("A-1")
			s.work()
			s.work()
			require.Equal(t, []string{"1 notify_customer completed", "1 process_order completed"}, s.jobs())
			require.Len(t, s.mailer.sent, 2, "at least once")
			require.Equal(t, s.mailer.sent[0].Key, s.mailer.sent[1].Key)
		})
	}
}

func TestNoMailAboutWhatIsNotSo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	unpaid, unwritten := s.place("A-1"), s.request("orders")
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM jobs`) // neither is worked
		require.NoError(t, err)
		for _, args := range []queue.Args{
			jobs.NotifyCustomer{OrderID: unpaid.ID},
			jobs.NotifyCustomer{OrderID: 999},
			jobs.ExportReady{ExportID: unwritten.ID},
			jobs.ExportReady{ExportID: 999},
		} {
			if _, err := s.queue.Insert(ctx, tx, args); err != nil {
				return err
			}
		}
		return nil
	})
	s.work()
	require.Equal(t, []string{"2 export_ready discarded", "2 notify_customer discarded"}, s.jobs())
	require.Empty(t, s.mailer.sent)
	require.Empty(t, s.deliveries())
	errs := s.rows(`SELECT error FROM job_failures ORDER BY job_id`)
	require.Equal(t, `{"error":"order 1 is placed, not processed"}`, errs[0])
	require.Equal(t, `{"error":"export 1 is pending, not completed"}`, errs[2])
}
