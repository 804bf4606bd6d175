package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
)

// A shopOfProcesses is a database, a sandbox in a process of its own, and what a
// worker on them needs.
type shopOfProcesses struct {
	t       *testing.T
	db      *pgxpool.Pool
	sandbox string // folder
	exports string // folder
	env     []string
}

func newShopOfProcesses(t *testing.T) *shopOfProcesses {
	t.Helper()
	s := &shopOfProcesses{t: t, db: pgtest.New(t), sandbox: t.TempDir(), exports: t.TempDir()}
	servers := spawn(t, nil, "sandbox", "--dir", s.sandbox)
	servers.await(servers.stdout, "\n")
	line := servers.stdout.String()
	require.Regexp(t, `^GATEWAY_URL=http://\S+ SMTP_URL=smtp://\S+\n$`, line)
	s.env = append(strings.Fields(line), "DATABASE_URL="+pgtest.URL(s.db),
		"EXPORT_DIR="+s.exports, "HEALTH_ADDR=off")
	return s
}

// count returns a count of rows by now.
func (s *shopOfProcesses) count(sql string) int { return value[int](s.t, s.db, sql) }

// settle waits until no job is left, without the waits between attempts.
func (s *shopOfProcesses) settle() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		busy := s.count(`SELECT count(*) FROM jobs WHERE state = 'running' OR run_at <= now()`)
		if busy == 0 {
			_, err := s.db.Exec(s.t.Context(), skipWaitsSQL)
			require.NoError(s.t, err)
		}
		return s.count(`SELECT count(*) FROM jobs`) == 0
	}, 3*patience, 20*time.Millisecond)
}

// report returns the account, which must add up.
func (s *shopOfProcesses) report() (a summary) {
	s.t.Helper()
	got := spawn(s.t, s.env, "report", "--dir", s.sandbox, "--json").outcome()
	require.Zero(s.t, got.code, got.stderr)
	got.into(s.t, &a)
	return a
}

// A worker is killed in the middle of its work, and another one goes on: nothing is
// lost, nobody is charged twice.
func TestKilledWorkerLosesNothing(t *testing.T) {
	t.Parallel()
	orders := 2000
	if testing.Short() {
		orders = 400
	}
	s := newShopOfProcesses(t)
	got := spawn(t, s.env, "load", "--orders", strconv.Itoa(orders)).outcome()
	require.Zero(t, got.code, got.stderr)

	first := spawn(t, s.env, "run")
	require.Eventually(t, func() bool {
		return s.count(`SELECT count(*) FROM orders WHERE status <> 'placed'`) > orders/4
	}, patience, time.Millisecond)
	first.kill()
	require.Positive(t, s.count(`SELECT count(*) FROM orders WHERE status = 'placed'`), "in the middle")
	held := s.count(`SELECT count(*) FROM jobs WHERE state = 'running'`)

	during := s.report() // while work is still to be done
	require.EqualValues(t, orders, during.Orders.Total)

	second := spawn(t, s.env, "run")
	s.settle()
	a := s.report()
	require.EqualValues(t, orders, a.Orders.Total)
	require.Equal(t, a.Orders.Total, a.Orders.Processed+a.Orders.PaymentFailed+a.Orders.Missing)
	require.EqualValues(t, 1, a.Orders.Missing)
	require.EqualValues(t, a.Orders.Processed, a.Charges.Captured, "one charge for each, by the ledger")
	require.EqualValues(t, a.Orders.PaymentFailed, a.Charges.Declined)
	require.Zero(t, a.Charges.Duplicates)
	require.EqualValues(t, a.Orders.Processed, a.Mails.Confirmation+a.Mails.Refused)
	require.Zero(t, a.Jobs.Dead)
	require.EqualValues(t, held, a.Jobs.Lost, "what was running is on record as lost")
	second.signal(os.Interrupt)
	require.Zero(t, second.outcome().code)
}

// The sandbox is killed too: what it has answered it knows when it comes back.
func TestReportIsTheSameAfterTheSandboxWasKilled(t *testing.T) {
	t.Parallel()
	s := newShopOfProcesses(t)
	require.Zero(t, spawn(t, s.env, "load", "--orders", "80").outcome().code)
	export := spawn(t, s.env, "export", "orders", "--json").outcome()
	require.Zero(t, export.code, export.stderr)
	require.Regexp(t, regexp.MustCompile(`"id":1\b`), export.stdout)
	run := spawn(t, s.env, "run")
	s.settle()
	run.signal(syscall.SIGTERM)
	require.Zero(t, run.outcome().code)
	before := s.report()
	require.EqualValues(t, 80, before.Orders.Total)
	require.Equal(t, "completed", before.Exports[0].Status)
	require.Equal(t, 1, before.Mails.ExportReady)
	again := s.report()
	require.Equal(t, before, again)
}
