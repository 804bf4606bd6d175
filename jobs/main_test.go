package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A shop is a database with a worker whose outside parts are told what to do.
type shop struct {
	*testing.T
	db       *pgxpool.Pool
	queue    *queue.Client
	gateway  *gateway
	mailer   *mailer
	dir      *os.Root
	problems *problems
}

func newShop(t *testing.T) *shop {
	t.Helper()
	dir, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	return &shop{
		T: t, db: pgtest.New(t), queue: &queue.Client{}, dir: dir,
		gateway: &gateway{}, mailer: &mailer{}, problems: &problems{},
	}
}

// A gateway notes whom it is asked to charge. Charges go well unless answer says
// otherwise.
type gateway struct {
	answer func(ctx context.Context, p *orders.Payment) (string, error)

	mu    sync.Mutex
	asked []orders.Payment
}

func (g *gateway) Charge(ctx context.Context, p *orders.Payment) (string, error) {
	g.mu.Lock()
	g.asked = append(g.asked, *p)
	g.mu.Unlock()
	if g.answer == nil {
		return "ch_" + p.Key, nil
	}
	return g.answer(ctx, p)
}

// A mailer notes what it is to send. Mails are taken unless answer says otherwise.
type mailer struct {
	answer func(ctx context.Context, m *jobs.Mail) error

	mu   sync.Mutex
	sent []jobs.Mail
}

func (m *mailer) Send(ctx context.Context, mail *jobs.Mail) error {
	m.mu.Lock()
	m.sent = append(m.sent, *mail)
	m.mu.Unlock()
	if m.answer == nil {
		return nil
	}
	return m.answer(ctx, mail)
}

// problems are what a Worker's OnError was told.
type problems struct {
	mu   sync.Mutex
	list []*queue.JobError
}

func (p *problems) note(_ context.Context, err error) {
	if failed, ok := err.(*queue.JobError); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.list = append(p.list, failed)
	}
}

func (s *shop) worker() *queue.Worker {
	w := &queue.Worker{
		DB: s.db,
		Queues: []queue.Queue{
			{Name: "default", Slots: 4}, {Name: "notifications", Slots: 4}, {Name: "exports", Slots: 2},
		},
		OnError: s.problems.note,
		Logger:  slog.New(slog.DiscardHandler),
	}
	queue.Handle(w, &jobs.OrderProcessor{
		DB: s.db, Queue: s.queue, Gateway: s.gateway, Log: slog.New(slog.DiscardHandler),
	})
	queue.Handle(w, &jobs.CustomerNotifier{DB: s.db, Mail: s.mailer})
	queue.Handle(w, &jobs.Exporter{DB: s.db, Queue: s.queue, Dir: s.dir})
	queue.Handle(w, &jobs.ExportMailer{DB: s.db, Mail: s.mailer, URL: link})
	return w
}

// run starts a worker and returns what stops it.
func (s *shop) run() (w *queue.Worker, stop func()) {
	s.Helper()
	w = s.worker()
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	result := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	return w, func() {
		s.Helper()
		if err := result(); !errors.Is(err, context.Canceled) { // which it is before the start
			require.NoError(s, err)
		}
	}
}

// work has a worker run until no job is due or running.
func (s *shop) work() {
	s.Helper()
	_, stop := s.run()
	defer stop()
	s.await(`SELECT NOT EXISTS (SELECT FROM jobs WHERE state = 'running' OR run_at <= now())`)
}

// await waits until a query answers true.
func (s *shop) await(sql string, args ...any) {
	s.Helper()
	require.Eventually(s, func() bool {
		var is bool
		require.NoError(s, s.db.QueryRow(s.Context(), sql, args...).Scan(&is))
		return is
	}, 30*time.Second, 10*time.Millisecond, sql)
}

// hurry makes the jobs that wait due.
func (s *shop) hurry() {
	s.Helper()
	_, err := s.db.Exec(s.Context(), `UPDATE jobs SET run_at = clock_timestamp()`)
	require.NoError(s, err)
}

// in runs f in a transaction of its own.
func (s *shop) in(f func(ctx context.Context, tx pgx.Tx) error) {
	s.Helper()
	require.NoError(s, pgx.BeginFunc(s.Context(), s.db, func(tx pgx.Tx) error {
		return f(s.Context(), tx)
	}))
}

// place places an order and its job.
func (s *shop) place(number string) *orders.Order {
	s.Helper()
	o := anOrder(number)
	s.in(func(ctx context.Context, tx pgx.Tx) error { return jobs.PlaceOrder(ctx, tx, s.queue, o) })
	return o
}

func anOrder(number string) *orders.Order {
	return &orders.Order{
		Number: number, CustomerName: "Ann\nLee", CustomerEmail: "ann@example.com",
		Amount: 1990, Currency: "EUR", CardToken: "tok_ok",
	}
}

// request asks for an export.
func (s *shop) request(query string) *exports.Export {
	s.Helper()
	e := &exports.Export{Query: query, MailTo: "boss@example.com"}
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		return jobs.RequestExport(ctx, tx, s.queue, e)
	})
	return e
}

func (s *shop) export(id int64) (e *exports.Export) {
	s.Helper()
	s.in(func(ctx context.Context, tx pgx.Tx) (err error) {
		e, err = exports.Get(ctx, tx, id)
		return err
	})
	return e
}

// rows returns a query's rows, each as its JSON.
func (s *shop) rows(sql string, args ...any) (list []string) {
	s.Helper()
	rows, _ := s.db.Query(s.Context(), `SELECT to_json(q) FROM (`+sql+`) q`, args...)
	raw, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	require.NoError(s, err)
	for _, r := range raw {
		list = append(list, string(r))
	}
	return list
}

// jobs returns how the jobs stand, by kind: "2 process_order completed".
func (s *shop) jobs() (list []string) {
	s.Helper()
	rows, _ := s.db.Query(s.Context(), `
SELECT count(*) || ' ' || kind || ' ' || state FROM all_jobs GROUP BY kind, state`)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s, err)
	slices.Sort(list)
	return list
}

// wait returns how long after its last failure a kind's job runs again.
func (s *shop) wait(kind string) (d time.Duration) {
	s.Helper()
	err := s.db.QueryRow(s.Context(), `
SELECT run_at - (SELECT max(at) FROM job_failures WHERE job_id = jobs.id)
  FROM jobs WHERE kind = $1`, kind).Scan(&d)
	require.NoError(s, err)
	return d
}

// steal takes all running jobs from their worker, as another one does that finds it
// dead, and leaves them to be claimed.
func (s *shop) steal(ctx context.Context) {
	_, err := s.db.Exec(ctx, `
UPDATE jobs SET state = 'queued', token = 0, attempt = attempt - 1 WHERE state = 'running'`)
	require.NoError(s, err)
}
