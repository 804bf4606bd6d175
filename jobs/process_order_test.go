package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// stands returns the shop's orders with their payments.
func (s *shop) stands() []string {
	s.Helper()
	return s.rows(`SELECT o.number, o.status, p.state, p.gateway_answer AS answer
	  FROM orders o LEFT JOIN payments p ON p.order_id = o.id ORDER BY o.id, p.id`)
}

func TestOrderIsChargedConfirmedAndDone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.place("A-1")
	s.work()
	require.Equal(t, []string{"1 notify_customer completed", "1 process_order completed"}, s.jobs())
	require.Len(t, s.gateway.asked, 1)
	p := s.gateway.asked[0]
	require.True(t, p.Fresh)
	require.EqualValues(t, 1990, p.Amount)
	require.Equal(t, []string{fmt.Sprintf(
		`{"number":"A-1","status":"processed","state":"captured","answer":"ch_%s"}`, p.Key)}, s.stands())
	require.Len(t, s.mailer.sent, 1)
	require.Equal(t, fmt.Sprintf("order-%d-confirmation", o.ID), s.mailer.sent[0].Key)
}

func TestDeclineIsAnAnswer(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.gateway.answer = func(context.Context, *orders.Payment) (string, error) {
		return "", &orders.DeclinedError{Reason: "no money"}
	}
	s.place("A-1")
	s.work()
	require.Equal(t, []string{"1 process_order completed"}, s.jobs())
	require.Equal(t, []string{
		`{"number":"A-1","status":"payment_failed","state":"declined","answer":"no money"}`,
	}, s.stands())
	require.Empty(t, s.mailer.sent)
	require.Empty(t, s.problems.list)
}

func TestOrderThatIsGoneOrSettledIsDone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	paid, gone := s.place("A-1"), s.place("A-2")
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM orders WHERE id = $1`, gone.ID)
		return err
	})
	s.work()
	s.in(func(ctx context.Context, tx pgx.Tx) error { // a second job for the order
		_, err := s.queue.Insert(ctx, tx, jobs.ProcessOrder{OrderID: paid.ID})
		return err
	})
	s.work()
	require.Equal(t, []string{"1 notify_customer completed", "3 process_order completed"}, s.jobs())
	require.Len(t, s.gateway.asked, 1)
	require.Len(t, s.mailer.sent, 1)
}

func TestGatewayErrorWaitsByTheMinute(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var after time.Duration
	s.gateway.answer = func(context.Context, *orders.Payment) (string, error) {
		return "", &orders.GatewayError{After: after, Err: errors.New("out of order")}
	}
	s.place("A-1")
	for count := range 3 {
		wait := time.Duration(count+1) * time.Minute
		if count == 1 {
			after = 10 * time.Minute // the gateway's wish, longer than ours
			wait = after
		}
		s.work()
		require.GreaterOrEqual(t, s.wait("process_order"), wait)
		require.Less(t, s.wait("process_order"), wait+time.Duration(count+1)*10*time.Second)
		s.hurry()
		after = 0
	}
	s.work()
	require.Equal(t, []string{"1 process_order dead"}, s.jobs(), "after four attempts")
	require.Len(t, s.gateway.asked, 4)
	for i, p := range s.gateway.asked {
		require.Equal(t, s.gateway.asked[0].Key, p.Key, "one key")
		require.Equal(t, i == 0, p.Fresh)
	}
	require.Len(t, s.problems.list, 4)
	require.Equal(t, queue.StateDead, s.problems.list[3].Job.State)
	require.Equal(t, []string{
		`{"number":"A-1","status":"placed","state":"initiated","answer":null}`,
	}, s.stands())
}

func TestAnyOtherErrorWaitsByDefault(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.gateway.answer = func(context.Context, *orders.Payment) (string, error) {
		return "", errors.New("status 401 Unauthorized")
	}
	s.place("A-1")
	s.work()
	require.GreaterOrEqual(t, s.wait("process_order"), 15*time.Second)
	require.Less(t, s.wait("process_order"), 25*time.Second)
}

// Two jobs for one order may both get as far as the gateway: with one key.
func TestTwoJobsForAnOrderChargeItOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var both sync.WaitGroup
	both.Add(2)
	s.gateway.answer = func(_ context.Context, p *orders.Payment) (string, error) {
		both.Done()
		both.Wait()
		return "ch_" + p.Key, nil
	}
	o := s.place("A-1")
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		_, err := s.queue.Insert(ctx, tx, jobs.ProcessOrder{OrderID: o.ID})
		return err
	})
	s.work()
	require.Equal(t, []string{"1 notify_customer completed", "2 process_order completed"}, s.jobs())
	require.Equal(t, s.gateway.asked[0].Key, s.gateway.asked[1].Key)
	require.Len(t, s.stands(), 1)
	require.Empty(t, s.problems.list)
}

// Whatever step an attempt breaks off at, the next one ends with one charge, one
// mail job and one completed job.
func TestOrderOutlivesACrashAtEachStep(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(s *shop){
		"after the payment is on record, before the charge": func(s *shop) {
			s.gateway.answer = once(func(context.Context, *orders.Payment) (string, error) {
				return "", &orders.GatewayError{Err: errors.New("connection refused")}
			})
		},
		"after the charge, before its answer": func(s *shop) {
			s.gateway.answer = once(func(context.Context, *orders.Payment) (string, error) {
				return "", &orders.GatewayError{Err: errors.New("unexpected EOF")}
			})
		},
		"after the answer, while it is put on record": func(s *shop) {
			// A sequence does not roll back with the transaction.
			_, err := s.db.Exec(s.Context(), `
CREATE SEQUENCE tries;
CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('tries') = 1 THEN RAISE EXCEPTION 'crash'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER crash BEFORE INSERT ON jobs FOR EACH ROW
  WHEN (NEW.kind = 'notify_customer') EXECUTE FUNCTION crash();`)
			require.NoError(s, err)
		},
		"by a panic after the charge": func(s *shop) {
			s.gateway.answer = once(func(context.Context, *orders.Payment) (string, error) {
				panic("out of luck")
			})
		},
		"because its claim was taken during the charge": func(s *shop) {
			s.gateway.answer = once(func(ctx context.Context, p *orders.Payment) (string, error) {
				s.steal(ctx)
				return "ch_stale", nil
			})
		},
		"because its claim was taken and the charge declined": func(s *shop) {
			s.gateway.answer = once(func(ctx context.Context, p *orders.Payment) (string, error) {
				s.steal(ctx)
				return "", &orders.DeclinedError{Reason: "stale"}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			crash(s)
			s.place("A-1")
			s.work()
			s.hurry()
			s.work()
			s.work()
			require.Equal(t, []string{
				"1 notify_customer completed", "1 process_order completed",
			}, s.jobs())
			require.Len(t, s.gateway.asked, 2)
			first, second := s.gateway.asked[0], s.gateway.asked[1]
			require.True(t, first.Fresh)
			require.False(t, second.Fresh, "to be looked up")
			require.Equal(t, first.Key, second.Key)
			require.Equal(t, []string{fmt.Sprintf(
				`{"number":"A-1","status":"processed","state":"captured","answer":"ch_%s"}`, first.Key,
			)}, s.stands())
			require.Len(t, s.mailer.sent, 1)
		})
	}
}

// once lets the first charge go as answer says; those after it go well.
func once(
	answer func(context.Context, *orders.Payment) (string, error),
) func(context.Context, *orders.Payment) (string, error) {
	var tried atomic.Bool
	return func(ctx context.Context, p *orders.Payment) (string, error) {
		if tried.Swap(true) {
			return "ch_" + p.Key, nil
		}
		return answer(ctx, p)
	}
}

// An attempt without a claim puts nothing on record and asks the gateway nothing.
func TestOrderIsNotTouchedWithoutAClaim(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.place("A-1")
	p := &jobs.OrderProcessor{
		DB: s.db, Queue: s.queue, Gateway: s.gateway, Log: slog.New(slog.DiscardHandler),
	}
	job := &queue.Job[jobs.ProcessOrder]{Args: jobs.ProcessOrder{OrderID: o.ID}}
	require.ErrorIs(t, p.Handle(t.Context(), job), queue.ErrLost)
	require.Empty(t, s.gateway.asked)
	require.Equal(t, []string{`{"number":"A-1","status":"placed","state":null,"answer":null}`},
		s.stands())
}

// A worker that stops gives the job back; the charge that may have been made is
// looked up by the next one.
func TestOrderIsGivenBackWhenItsWorkerStops(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	reached := make(chan struct{})
	s.gateway.answer = once(func(ctx context.Context, _ *orders.Payment) (string, error) {
		close(reached)
		<-ctx.Done()
		return "", &orders.GatewayError{Err: ctx.Err()}
	})
	s.place("A-1")
	w, stop := s.run()
	<-reached
	w.StopNow()
	stop()
	require.Equal(t, []string{`{"attempt":0,"state":"queued"}`}, s.rows(`SELECT attempt, state FROM jobs`))
	require.Empty(t, s.problems.list)
	s.work()
	require.Equal(t, []string{"1 notify_customer completed", "1 process_order completed"}, s.jobs())
	require.False(t, s.gateway.asked[1].Fresh)
}

// The whole protocol, against a gateway that is a real server with its own ledger.
func TestOrdersAgreeWithTheGatewaysLedger(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	dir := t.TempDir()
	box, err := sandbox.Start(t.Context(), dir,
		sandbox.Options{Hang: time.Millisecond, Slow: time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, box.Close()) })
	client := &orders.Gateway{URL: box.GatewayURL}
	t.Cleanup(client.CloseIdleConnections)
	s.gateway.answer = client.Charge

	s.in(func(ctx context.Context, tx pgx.Tx) error {
		for made := range sandbox.Orders(60, 1) {
			o := anOrder(made.Number)
			o.Amount, o.CardToken = made.Amount, made.CardToken
			if err := jobs.PlaceOrder(ctx, tx, s.queue, o); err != nil {
				return err
			}
		}
		return nil
	})
	for range 3 {
		s.work()
		s.hurry()
	}
	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Zero(t, ledger.Duplicates)
	require.NotEmpty(t, ledger.Broken)
	charged := map[string]int64{}
	for _, c := range ledger.Captured {
		charged[c.Reference] = c.Amount
	}
	processed := 0
	for _, o := range s.orders() {
		amount, ok := charged[o.Number]
		require.Equal(t, o.Status == orders.Processed, ok, o.Number)
		require.NotEqual(t, orders.Placed, o.Status)
		if ok {
			processed++
			require.Equal(t, o.Amount, amount)
		}
	}
	require.Len(t, charged, processed)
	require.Len(t, s.mailer.sent, processed)
}

func (s *shop) orders() (list []*orders.Order) {
	s.Helper()
	rows, _ := s.db.Query(s.Context(), `SELECT id FROM orders`)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(s, err)
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		for _, id := range ids {
			o, err := orders.Get(ctx, tx, id)
			if err != nil {
				return err
			}
			list = append(list, o)
		}
		return nil
	})
	return list
}
