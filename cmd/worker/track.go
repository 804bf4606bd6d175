// Here: the error tracker. A service such as Sentry is one more type with the
// method Capture.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"

	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// A tracker is told of errors that someone should look at.
type tracker interface {
	Capture(ctx context.Context, err error, tags map[string]string)
}

// track makes t a Worker's OnError. That the gateway is down is no news while its
// orders will be tried again; any other error is, with what it is about.
func track(t tracker) func(context.Context, error) {
	return func(ctx context.Context, err error) {
		failed, ofJob := errors.AsType[*queue.JobError](err)
		if !ofJob {
			t.Capture(ctx, err, nil)
			return
		}
		_, expected := errors.AsType[*orders.GatewayError](err)
		if expected && failed.Job.State == queue.StateQueued {
			return
		}
		t.Capture(ctx, err, tags(failed))
	}
}

func tags(failed *queue.JobError) map[string]string {
	job := failed.Job
	tags := map[string]string{
		"kind":    job.Kind,
		"job_id":  strconv.FormatInt(job.ID, 10),
		"state":   string(job.State),
		"attempt": strconv.Itoa(job.Attempt),
	}
	if failed.Stack != "" {
		tags["stack"] = failed.Stack
	}
	var about struct {
		OrderID  int64 `json:"order_id"`
		ExportID int64 `json:"export_id"`
	}
	_ = json.Unmarshal(job.Args, &about) // what is not about either has no such tag
	if about.OrderID != 0 {
		tags["order_id"] = strconv.FormatInt(about.OrderID, 10)
	}
	if about.ExportID != 0 {
		tags["export_id"] = strconv.FormatInt(about.ExportID, 10)
	}
	return tags
}

// A logTracker writes what it is told to a log.
type logTracker struct{ log *slog.Logger }

func (t logTracker) Capture(ctx context.Context, err error, tags map[string]string) {
	attrs := []slog.Attr{slog.Any("error", err)}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		attrs = append(attrs, slog.String(name, tags[name]))
	}
	t.log.LogAttrs(ctx, slog.LevelError, "error captured", attrs...)
}
