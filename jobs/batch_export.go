// Here: BatchExport.

package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/queue"
)

// BatchExport asks for one export to be written to its file.
type BatchExport struct {
	ExportID int64 `json:"export_id"`
}

// Kind names the job.
func (BatchExport) Kind() string { return "batch_export" }

// InsertDefaults tries an export twice, away from the short jobs.
func (BatchExport) InsertDefaults() queue.With {
	return queue.With{Queue: "exports", MaxAttempts: 2}
}

// An Exporter handles [BatchExport].
type Exporter struct {
	DB    *pgxpool.Pool
	Queue *queue.Client
	Dir   *os.Root // where the files go
}

// Handle writes an export. That it is processing is committed before the first row
// is read. The record of its file, the mail that it is ready and the end of this
// job are committed together; that it failed, in a transaction of its own.
//
// An export that is completed is nothing to do; the job of one that is gone is
// discarded.
func (x *Exporter) Handle(ctx context.Context, job *queue.Job[BatchExport]) error {
	export, err := x.begin(ctx, job)
	switch {
	case errors.Is(err, exports.ErrCompleted):
		return nil
	case errors.Is(err, exports.ErrNotFound):
		return queue.Discard(err)
	case err != nil:
		return err
	}
	if err := x.export(ctx, job, export); err != nil {
		return x.fail(ctx, job, export, err)
	}
	return nil
}

func (x *Exporter) begin(
	ctx context.Context, job *queue.Job[BatchExport],
) (export *exports.Export, err error) {
	err = transact(ctx, x.DB, func(tx pgx.Tx) (err error) {
		if export, err = exports.Begin(ctx, tx, job.Args.ExportID); err != nil {
			return err
		}
		return job.Fence(ctx, tx)
	})
	return export, err
}

func (x *Exporter) export(
	ctx context.Context, job *queue.Job[BatchExport], export *exports.Export,
) error {
	file, err := exports.Write(ctx, x.DB, x.Dir, export)
	if err != nil {
		return err
	}
	return transact(ctx, x.DB, func(tx pgx.Tx) error {
		if err := exports.Complete(ctx, tx, export, file); err != nil {
			return err
		}
		if _, err := x.Queue.Insert(ctx, tx, ExportReady{ExportID: export.ID}); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// fail records why and returns cause. Nothing is recorded if this attempt has no
// say any more: its worker stops, so that the next attempt finds the export
// processing; its claim is lost; or the transaction above has committed and only
// its reply was lost. Fence and the attempt's number know.
func (x *Exporter) fail(
	ctx context.Context, job *queue.Job[BatchExport], export *exports.Export, cause error,
) error {
	why := cause
	if ctx.Err() != nil {
		// The context's cause says more than that a query was cancelled.
		why = fmt.Errorf("%w: %w", context.Cause(ctx), cause)
	}
	if errors.Is(why, queue.ErrStopping) {
		return why
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := transact(ctx, x.DB, func(tx pgx.Tx) error {
		if err := exports.Fail(ctx, tx, export, why); err != nil {
			return err
		}
		return job.Fence(ctx, tx)
	})
	if errors.Is(err, exports.ErrSuperseded) || errors.Is(err, queue.ErrLost) {
		return why
	}
	return errors.Join(why, err)
}

// Timeout caps how long the snapshot holds back VACUUM.
func (x *Exporter) Timeout(*queue.JobRow) time.Duration { return 15 * time.Minute }
