package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoEngine is returned where no Docker engine answers.
var ErrNoEngine = errors.New("no Docker engine answers")

// composeURL is the database of docker-compose.yml.
const composeURL = "postgres://rowlock:rowlock@127.0.0.1:54329/rowlock?sslmode=disable"

// Compose starts the database of docker-compose.yml, which it looks for in the
// current directory and those above, and waits until it is healthy. The
// container stays when we end; "make down" removes it. A pull that fails is
// shown and final.
func Compose(ctx context.Context) (*Server, error) {
	if err := PingEngine(ctx); err != nil {
		return nil, err
	}
	file, err := composeFile()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "docker", "compose", "--file", file,
		"up", "--detach", "--wait", "postgres")
	cmd.Stderr = os.Stderr // progress of the pull, which may take minutes
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("docker compose up postgres: %w; "+
			"mend that, or name a server by DATABASE_URL", err)
	}
	version, err := ask(ctx, composeURL)
	if err != nil {
		return nil, fmt.Errorf("use the database of %s: %w", file, err)
	}
	return &Server{
		URL: composeURL,
		How: fmt.Sprintf(`Postgres %s in Docker, port 54329 ("make down" removes it)`, version),
	}, nil
}

// PingEngine returns nil if a Docker engine answers, and [ErrNoEngine] if not.
// "docker --version" succeeds without one.
func PingEngine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", "version", "--format",
		"{{.Server.Version}}").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %w %s", ErrNoEngine, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// composeFile finds our docker-compose.yml in the current directory or above: the
// one beside our go.mod, since we start what it says.
func composeFile() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/rowlock/rowlock\n") {
			return filepath.Join(dir, "docker-compose.yml"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is in no checkout of rowlock, which has docker-compose.yml; "+
				"run this in one, or name a server by DATABASE_URL", start)
		}
	}
}
