package jobs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/queue"
)

func TestExportIsWrittenRecordedAndMailed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.place("A-1")
	s.work()
	e := s.request("orders")
	s.work()
	done := s.export(e.ID)
	require.Equal(t, exports.Completed, done.Status)
	require.EqualValues(t, 1, done.Rows)
	content, err := s.dir.ReadFile(done.Path)
	require.NoError(t, err)
	require.EqualValues(t, len(content), done.Bytes)
	require.Contains(t, string(content), "A-1,\"Ann\nLee\",ann@example.com,19.90,EUR,processed,")

	require.Len(t, s.mailer.sent, 2)
	m := s.mailer.sent[1]
	require.Equal(t, fmt.Sprintf("export-%d-ready", e.ID), m.Key)
	require.Equal(t, "boss@example.com", m.To)
	require.Contains(t, m.Text, "https://shop.example/exports/"+done.Path+"\n")
	require.Contains(t, m.HTML, `<a href="https://shop.example/exports/`+done.Path+`">`)
	require.Contains(t, m.Text, done.SHA256)
	require.Equal(t, []string{
		"1 batch_export completed", "1 export_ready completed",
		"1 notify_customer completed", "1 process_order completed",
	}, s.jobs())
}

func TestExportThatFailsSaysWhyAndMayBeginAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	e := s.request("orders")
	require.NoError(t, s.dir.MkdirAll("export-1-1.csv/x", 0o700)) // in the way of the first attempt
	s.work()
	failed := s.export(e.ID)
	require.Equal(t, exports.Failed, failed.Status)
	require.Contains(t, failed.Error, "export-1-1.csv")
	require.GreaterOrEqual(t, s.wait("batch_export"), 15*time.Second)
	s.hurry()
	s.work()
	done := s.export(e.ID)
	require.Equal(t, exports.Completed, done.Status)
	require.Equal(t, "export-1-2.csv", done.Path)
	require.Len(t, s.mailer.sent, 1)

	// Two attempts, and no more.
	e = s.request("orders")
	for n := range 2 {
		require.NoError(t, s.dir.MkdirAll(fmt.Sprintf("export-2-%d.csv/x", n+1), 0o700))
		s.hurry()
		s.work()
	}
	require.Equal(t, exports.Failed, s.export(e.ID).Status)
	require.Contains(t, s.jobs(), "1 batch_export dead")
}

func TestExportThatIsGoneOrCompletedIsDone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	e := s.request("orders")
	s.work()
	s.in(func(ctx context.Context, tx pgx.Tx) error {
		for _, id := range []int64{e.ID, 999} {
			if _, err := s.queue.Insert(ctx, tx, jobs.BatchExport{ExportID: id}); err != nil {
				return err
			}
		}
		return nil
	})
	s.work()
	require.Equal(t, []string{
		"1 batch_export discarded", "1 export_ready completed", "2 batch_export completed",
	}, s.jobs())
	require.Equal(t, 1, s.export(e.ID).Attempt)
	require.Len(t, s.mailer.sent, 1)
}

// block makes the next export wait while it reads, until the returned function is
// called: its query needs a table that is locked.
func (s *shop) block() (release func()) {
	s.Helper()
	tx, err := s.db.Begin(s.Context())
	require.NoError(s, err)
	_, err = tx.Exec(s.Context(), `LOCK TABLE orders IN ACCESS EXCLUSIVE MODE`)
	require.NoError(s, err)
	return func() { require.NoError(s, tx.Rollback(s.Context())) }
}

const exportWaitsSQL = `
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                AND wait_event_type = 'Lock' AND query LIKE 'DECLARE page%')`

func TestExportIsLeftProcessingWhenItsWorkerStops(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	e := s.request("orders")
	release := s.block()
	w, stop := s.run()
	s.await(exportWaitsSQL)
	w.StopNow()
	stop()
	release()
	left := s.export(e.ID)
	require.Equal(t, exports.Processing, left.Status)
	require.Equal(t, []string{`{"attempt":0,"state":"queued"}`}, s.rows(`SELECT attempt, state FROM jobs`))
	require.Empty(t, s.problems.list)

	s.work()
	require.Equal(t, exports.Completed, s.export(e.ID).Status)
	require.Equal(t, "export-1-2.csv", s.export(e.ID).Path)
}

// An attempt whose claim was taken while it read neither completes nor fails the
// export; its file is gone or no row names it.
func TestExportWithoutAClaimIsNotOnRecord(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	e := s.request("orders")
	release := s.block()
	_, stop := s.run()
	defer stop()
	s.await(exportWaitsSQL)
	s.steal(t.Context())
	s.await(`SELECT EXISTS (SELECT FROM exports WHERE attempt = 2)`) // the next one has begun
	release()
	s.await(`SELECT NOT EXISTS (SELECT FROM jobs)`)
	stop()
	done := s.export(e.ID)
	require.Equal(t, exports.Completed, done.Status)
	require.Equal(t, "export-1-2.csv", done.Path)
	require.Equal(t, []string{"1 batch_export completed", "1 export_ready completed"}, s.jobs())
	require.Len(t, s.mailer.sent, 1)
}

// An attempt at an export without a claim does not even begin.
func TestExportIsNotTouchedWithoutAClaim(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	e := s.request("orders")
	x := &jobs.Exporter{DB: s.db, Queue: s.queue, Dir: s.dir}
	job := &queue.Job[jobs.BatchExport]{Args: jobs.BatchExport{ExportID: e.ID}}
	require.ErrorIs(t, x.Handle(t.Context(), job), queue.ErrLost)
	require.Equal(t, exports.Pending, s.export(e.ID).Status)
}

func TestRequestsStoreBothOrNeither(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	tx, err := s.db.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, jobs.PlaceOrder(t.Context(), tx, s.queue, anOrder("A-1")))
	require.NoError(t, jobs.RequestExport(t.Context(), tx, s.queue,
		&exports.Export{Query: "orders", MailTo: "boss@example.com"}))
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, []string{`{"orders":0,"exports":0,"jobs":0}`}, s.rows(`
SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM exports) AS exports,
       (SELECT count(*) FROM jobs) AS jobs`))

	s.in(func(ctx context.Context, tx pgx.Tx) error {
		err := jobs.RequestExport(ctx, tx, s.queue, &exports.Export{Query: "pg_user"})
		require.ErrorContains(t, err, "pg_user")
		return nil
	})
	require.Empty(t, s.jobs())
}
