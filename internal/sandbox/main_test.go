package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/internal/sandbox"
)

// childDir makes the test binary a sandbox on that folder, for tests that kill it.
const childDir = "ROWLOCK_TEST_SANDBOX_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(serveUntilOrphaned(dir))
	}
	goleak.VerifyTestMain(m)
}

// serveUntilOrphaned prints both URLs on one line and serves until the parent
// closes its end of standard input, be it by dying.
func serveUntilOrphaned(dir string) int {
	s, err := sandbox.Start(context.Background(), dir, sandbox.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.GatewayURL, s.SMTPURL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// start starts a sandbox on dir that ends with the test.
func start(t *testing.T, dir string, opts sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
