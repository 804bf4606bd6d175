// Here: Sentry as an error tracker.

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/rowlock/rowlock/internal/cli"
)

// sentryPatience is how long the program waits at its end for what is not sent yet.
const sentryPatience = 2 * time.Second

// A sentryTracker sends what it is told to a Sentry project, in the background.
type sentryTracker struct{ client *sentry.Client }

// newSentryTracker returns a tracker for the project that a DSN names.
func newSentryTracker(dsn string) (*sentryTracker, error) {
	client, err := sentry.NewClient(sentry.ClientOptions{Dsn: dsn})
	if err != nil {
		return nil, cli.Usagef("--sentry-dsn (SENTRY_DSN) is no DSN such as "+
			"https://key@sentry.example.com/1: %w", err)
	}
	return &sentryTracker{client}, nil
}

func (t *sentryTracker) Capture(_ context.Context, err error, tags map[string]string) {
	scope := sentry.NewScope()
	for name, value := range tags {
		if name == "stack" { // tags are short
			scope.SetContext("handler", sentry.Context{"stack": value})
			continue
		}
		scope.SetTag(name, value)
	}
	if kind := tags["kind"]; kind != "" {
		scope.SetFingerprint([]string{"{{ default }}", kind})
	}
	t.client.CaptureEvent(t.client.EventFromException(err, sentry.LevelError), nil, scope)
}

func (t *sentryTracker) close() error {
	defer t.client.Close()
	if !t.client.Flush(sentryPatience) {
		return fmt.Errorf("sentry: not all errors were sent in %v", sentryPatience)
	}
	return nil
}

// A trackerList is several trackers, all of which are told.
type trackerList []tracker

func (l trackerList) Capture(ctx context.Context, err error, tags map[string]string) {
	for _, t := range l {
		t.Capture(ctx, err, tags)
	}
}
