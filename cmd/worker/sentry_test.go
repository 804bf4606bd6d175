package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

func TestSentryIsToldOfAnErrorAndWhatItIsAbout(t *testing.T) {
	t.Parallel()
	told := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && r.Header.Get("Content-Encoding") == "gzip" {
			var unzip *gzip.Reader
			if unzip, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
				body, err = io.ReadAll(unzip)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		told <- r.URL.Path + "\n" + string(body)
	}))
	t.Cleanup(server.Close)
	tracker, err := newSentryTracker("http://key@" + strings.TrimPrefix(server.URL, "http://") + "/7")
	require.NoError(t, err)
	track(trackerList{tracker})(t.Context(), &queue.JobError{
		Job:   &queue.JobRow{ID: 5, Kind: "process_order", State: queue.StateDead, Args: []byte(`{"order_id": 42}`)},
		Err:   errors.New("out of paper"),
		Stack: "goroutine 1",
	})
	require.NoError(t, tracker.close())
	event := receive(t, told)
	for _, want := range []string{
		"/api/7/envelope/", "out of paper", `"order_id":"42"`, `"kind":"process_order"`, "goroutine 1",
	} {
		require.Contains(t, event, want)
	}
}

func TestSentryNeedsADSN(t *testing.T) {
	t.Parallel()
	_, err := newSentryTracker("not a DSN")
	require.ErrorContains(t, err, "SENTRY_DSN")
}
