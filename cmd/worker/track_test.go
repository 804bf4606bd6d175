package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/orders"
	"github.com/rowlock/rowlock/queue"
)

// A captures is a tracker that keeps what it is told.
type captures []map[string]string

func (c *captures) Capture(_ context.Context, err error, tags map[string]string) {
	*c = append(*c, tags)
}

func TestTrackerHearsOfAllButAnOutageThatIsTriedAgain(t *testing.T) {
	t.Parallel()
	outage := fmt.Errorf("wrapped: %w", &orders.GatewayError{Err: errors.New("down")})
	failed := func(err error, state queue.State) error {
		return &queue.JobError{Err: err, Job: &queue.JobRow{
			ID: 7, Kind: "process_order", State: state, Attempt: 2, Args: []byte(`{"order_id": 42}`),
		}}
	}
	for _, c := range []struct {
		err  error
		tags map[string]string
		told bool
	}{
		{failed(outage, queue.StateQueued), nil, false},
		{failed(outage, queue.StateDead), map[string]string{
			"kind": "process_order", "job_id": "7", "state": "dead", "attempt": "2", "order_id": "42",
		}, true},
		{failed(errors.New("odd"), queue.StateQueued), map[string]string{
			"kind": "process_order", "job_id": "7", "state": "queued", "attempt": "2", "order_id": "42",
		}, true},
		{errors.New("claim failed"), nil, true},
	} {
		var got captures
		track(&got)(t.Context(), c.err)
		if !c.told {
			require.Empty(t, got)
			continue
		}
		require.Equal(t, captures{c.tags}, got)
	}
}

func TestTagsSayWhatAJobIsAbout(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		`{"export_id": 9}`:   "9",
		`{"export_id": "x"}`: "",
		`[]`:                 "",
		`not JSON`:           "",
	} {
		got := tags(&queue.JobError{Job: &queue.JobRow{Args: []byte(args)}, Stack: "main.go:1"})
		require.Equal(t, want, got["export_id"], args)
		require.Equal(t, "main.go:1", got["stack"])
		require.NotContains(t, got, "order_id")
	}
}

func TestLogTrackerWritesOneLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	logTracker{log}.Capture(t.Context(), errors.New("odd\nthing"), map[string]string{"b": "2", "a": "1"})
	require.Equal(t, `level=ERROR msg="error captured" error="odd\nthing" a=1 b=2`+"\n", out.String())
}
