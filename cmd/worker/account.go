// Here: what became of the orders, by the database, the gateway's ledger and the
// mailbox.

package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// An account is the summary of a shop. Its JSON form is what --json prints.
type account struct {
	Orders  orderSums    `json:"orders"`
	Mails   mailSums     `json:"mails"`
	Exports []exportLine `json:"exports"`
	Jobs    jobSums      `json:"jobs"`
	Charges chargeSums   `json:"charges"`

	WaitsSkipped  float64 `json:"waits_skipped_seconds"`
	Seconds       float64 `json:"seconds"` // from the first claim to the last end
	JobsPerSecond float64 `json:"jobs_per_second"`

	Kinds    []kindLine `json:"-"`
	Open     int64      `json:"-"` // orders that a job has still to settle or confirm
	Problems []string   `json:"-"` // what does not add up; the first of them
	Wrong    int        `json:"-"` // how many there are

	MailsTwice int `json:"-"` // sent again after a crash, with the same Message-ID
}

type orderSums struct {
	Total         int64 `json:"total"`
	Processed     int64 `json:"processed"`
	PaymentFailed int64 `json:"payment_failed"`
	Missing       int64 `json:"missing"` // their jobs found no order
	Rejected      int64 `json:"rejected"`
}

type mailSums struct {
	Confirmation int `json:"confirmation"`
	ExportReady  int `json:"export_ready"`
	Refused      int `json:"refused"`
}

type exportLine struct {
	ID     int64  `json:"id"`
	Status string `json:"status"`
	Path   string `json:"path"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

type jobSums struct {
	Completed      int64 `json:"completed"`
	Discarded      int64 `json:"discarded"`
	Dead           int64 `json:"dead"`
	FailedAttempts int64 `json:"failed_attempts"`
	Lost           int64 `json:"lost"` // runs that ended with their process
}

type chargeSums struct {
	Captured   int `json:"captured"`
	Declined   int `json:"declined"`
	Duplicates int `json:"duplicates"`
}

// A kindLine is how the jobs of one kind ended.
type kindLine struct {
	Kind                                              string
	Completed, Discarded, Cancelled, Dead, Live, Lost int64
}

// maxProblems is how many problems are told one by one.
const maxProblems = 20

func (a *account) problem(format string, args ...any) {
	if a.Wrong++; len(a.Problems) < maxProblems {
		a.Problems = append(a.Problems, fmt.Sprintf(format, args...))
	}
}

// err says that something does not add up.
func (a *account) err() error {
	if a.Wrong == 0 {
		return nil
	}
	return fmt.Errorf("%d things do not add up, see above", a.Wrong)
}

// books are where it is all written down.
type books struct {
	db        *pgxpool.Pool
	sandbox   string // the sandbox's folder
	exportDir string
}

// The first statement fixes the snapshot. No plan of those after it, which read
// whole tables, is to be a nested loop: that is what the planner likes while a
// table's statistics are behind.
const reportSettingsSQL = `-- worker.report_settings
SELECT set_config('enable_nestloop', 'off', true)`

// account adds up. The snapshot of the database is older than what is read from the
// files: whatever it says was done is in them by then, also while work goes on.
func (b *books) account(ctx context.Context) (*account, error) {
	a := &account{Exports: []exportLine{}}
	var found *evidence
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, b.db, snapshot, func(tx pgx.Tx) (err error) {
		if _, err = tx.Exec(ctx, reportSettingsSQL); err != nil {
			return err
		}
		if found, err = a.readEvidence(b.sandbox); err != nil {
			return err
		}
		for _, read := range []func(context.Context, pgx.Tx) error{
			found.auditOrders, a.readGone, a.readCounts, a.readJobs,
		} {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		return a.readExports(ctx, tx, b.exportDir)
	})
	if err == nil {
		err = found.auditStrangers(ctx, b.db)
	}
	if err != nil {
		return a, fmt.Errorf("report: %w", err)
	}
	a.Orders.Total += a.Orders.Rejected
	return a, nil
}

// By orders that jobs name and that are not there: how many, how many of them a job
// has found missing, and how many are still to be looked for.
const goneSQL = `-- worker.gone
SELECT count(*), count(*) FILTER (WHERE found), count(*) FILTER (WHERE live AND NOT found)
  FROM (SELECT args->>'order_id' AS id, bool_or(state = 'completed') AS found,
               bool_or(state IN ('queued', 'running')) AS live
          FROM all_jobs WHERE kind = 'process_order' GROUP BY 1) job
 WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id::text = job.id)`

func (a *account) readGone(ctx context.Context, tx pgx.Tx) error {
	var all, live int64
	err := tx.QueryRow(ctx, goneSQL).Scan(&all, &a.Orders.Missing, &live)
	if err != nil {
		return err
	}
	a.Orders.Total += all
	a.Open += live
	if unsettled := all - a.Orders.Missing - live; unsettled > 0 {
		a.problem("%d orders are gone, and no job has completed that found them missing: "+
			"look into dead_jobs", unsettled)
	}
	return nil
}

const countsSQL = `-- worker.counts
SELECT (SELECT coalesce(sum(rejected), 0)::bigint FROM loads),
       (SELECT count(*) FROM mail_deliveries WHERE state = 'refused'),
       (SELECT count(*) FROM job_failures)`

func (a *account) readCounts(ctx context.Context, tx pgx.Tx) error {
	return tx.QueryRow(ctx, countsSQL).
		Scan(&a.Orders.Rejected, &a.Mails.Refused, &a.Jobs.FailedAttempts)
}

const kindsSQL = `-- worker.kinds
SELECT kind,
       count(*) FILTER (WHERE state = 'completed') AS completed,
       count(*) FILTER (WHERE state = 'discarded') AS discarded,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE state = 'dead') AS dead,
       count(*) FILTER (WHERE state IN ('queued', 'running')) AS live,
       coalesce(sum(lost_count), 0)::bigint AS lost
  FROM all_jobs GROUP BY kind ORDER BY kind`

const spanSQL = `-- worker.span
SELECT coalesce(extract(epoch FROM max(finished_at) - min(claimed_at)), 0)::float8 FROM all_jobs`

func (a *account) readJobs(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, kindsSQL)
	if err != nil {
		return err
	}
	if a.Kinds, err = pgx.CollectRows(rows, pgx.RowToStructByName[kindLine]); err != nil {
		return err
	}
	for _, k := range a.Kinds {
		a.Jobs.Completed += k.Completed
		a.Jobs.Discarded += k.Discarded
		a.Jobs.Dead += k.Dead
		a.Jobs.Lost += k.Lost
	}
	var span float64
	if err := tx.QueryRow(ctx, spanSQL).Scan(&span); err != nil {
		return err
	}
	a.Seconds = rounded(span)
	if span > 0 {
		a.JobsPerSecond = rounded(float64(a.Jobs.Completed+a.Jobs.Discarded) / span)
	}
	return nil
}

func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }

const exportsSQL = `-- worker.exports
SELECT id, status, coalesce(path, '') AS path, coalesce(rows, 0) AS rows,
       coalesce(bytes, 0) AS bytes, coalesce(sha256, '') AS sha256
  FROM exports ORDER BY id`

func (a *account) readExports(ctx context.Context, tx pgx.Tx, dir string) error {
	rows, err := tx.Query(ctx, exportsSQL)
	if err != nil {
		return err
	}
	if a.Exports, err = pgx.CollectRows(rows, pgx.RowToStructByName[exportLine]); err != nil {
		return err
	}
	for i, e := range a.Exports {
		if e.Path == "" {
			continue
		}
		if a.Exports[i].Path, err = filepath.Abs(filepath.Join(dir, e.Path)); err != nil {
			return err
		}
	}
	return nil
}
