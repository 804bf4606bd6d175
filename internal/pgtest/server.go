package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/rowlock/rowlock/internal/localpg"
)

// sharedServer names the variable by which "make test" tells test processes
// of the server that it has started for all of them.
const sharedServer = "ROWLOCK_TEST_SERVER"

// serverOnce finds the server of this test process. One that it starts ends with
// the process, so nobody closes it.
var serverOnce = sync.OnceValues(findServer)

// Server returns the server that the test databases are on, for a test that
// needs more than one database. It skips the test where there is none.
func Server(t testing.TB) *localpg.Server {
	t.Helper()
	if reason := Absent(); reason != nil {
		t.Skip(reason)
	}
	s, err := serverOnce()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Absent returns why tests that need a Postgres are skipped here, and nil where
// they run, or fail for want of one. It is for a TestMain: an example cannot skip
// itself.
func Absent() error {
	if testing.Short() {
		return errors.New("needs a Postgres, and -short rules that out")
	}
	_, err := serverOnce()
	if _, absent := errors.AsType[*localpg.NotFoundError](err); !absent || required() {
		return nil
	}
	shoutOnce()
	return err
}

func findServer() (*localpg.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // a pull is slow
	defer cancel()
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		s, err := localpg.Given(ctx, url)
		if err != nil {
			return nil, fmt.Errorf("TEST_DATABASE_URL: %w", err)
		}
		return s, nil
	}
	if url := os.Getenv(sharedServer); url != "" {
		return &localpg.Server{URL: url, How: "the server of make test", Throwaway: true}, nil
	}
	if s, err := localpg.Given(ctx, ""); s != nil || err != nil {
		return s, err
	}
	s, noBinaries := localpg.Throwaway(ctx, localpg.Options{MaxConnections: 500})
	if s != nil || !errors.Is(noBinaries, localpg.ErrNoBinaries) {
		return s, noBinaries
	}
	// Without an engine testcontainers panics, so ask that first.
	if localpg.PingEngine(ctx) != nil {
		return nil, &localpg.NotFoundError{Binaries: noBinaries}
	}
	return startContainer(ctx)
}

// required reports whether tests have to fail without a Postgres.
func required() bool {
	return os.Getenv("CI") == "true" || os.Getenv("REQUIRE_PG") == "1"
}

// shoutOnce tells whoever sits at the terminal that tests are skipped: "go test"
// shows neither a skipped test's reason nor a passing process's output.
var shoutOnce = sync.OnceFunc(func() {
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, _ = tty.WriteString("\n*** No Postgres: tests are SKIPPED. " +
		"\"make test\" finds or installs one. ***\n")
	_ = tty.Close()
})
