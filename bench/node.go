// Here: the queues for Node: their packages are installed, and a Node to run them if
// there is none that is new enough.

package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

//go:embed node graphile pgboss sidekiq
var scripts embed.FS

// oldestNode is the oldest Node that graphile-worker and pg-boss run on.
var oldestNode = [2]int{22, 18}

// A nodePeer is a queue for Node on Postgres.
type nodePeer struct {
	ledger
	key      string // the folder of its script, and its database
	about    About
	emptySQL string

	node, script, url string
	producers         producers
}

func (p *nodePeer) open(ctx context.Context, s *stores) (a About, err error) {
	if p.node, err = s.node(ctx); err != nil {
		return a, err
	}
	dir, err := s.install(ctx, p.key)
	if err != nil {
		return a, err
	}
	p.script = filepath.Join(dir, "worker.mjs")
	if p.url, err = s.postgres.database(ctx, p.key); err != nil {
		return a, err
	}
	if p.db, err = connect(ctx, p.url); err != nil {
		return a, err
	}
	p.producers, err = startProducers(ctx, func(ctx context.Context) (*child, error) {
		return p.child(ctx, 0)
	})
	if err != nil {
		return a, errors.Join(err, p.close())
	}
	a = p.about
	a.Version = p.producers.version()
	return a, nil
}

// child starts the script.
func (p *nodePeer) child(ctx context.Context, variant int) (*child, error) {
	cmd := exec.Command(p.node, p.script, p.url, strconv.Itoa(variant))
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "NO_LOG_SUCCESS=1")
	return startChild(ctx, cmd)
}

func (p *nodePeer) empty(ctx context.Context) error {
	_, err := p.db.Exec(ctx, p.emptySQL)
	return err
}

func (p *nodePeer) insert(ctx context.Context, jobs int) error {
	return p.producers.insert(ctx, jobs)
}

func (p *nodePeer) hire(ctx context.Context, variant int) (crew, error) {
	return p.child(ctx, variant)
}

func (p *nodePeer) close() error {
	err := p.producers.stop()
	p.db.Close()
	return err
}

// node returns a Node to run scripts with.
func (s *stores) node(ctx context.Context) (program string, err error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return "", skip("no npm on PATH: apt-get install npm, or brew install node")
	}
	if program, err := exec.LookPath("node"); err == nil {
		out, err := exec.CommandContext(ctx, program, "--version").Output()
		if err == nil && newEnough(string(out)) {
			s.nodeVersion = strings.TrimSpace(string(out))
			return program, nil
		}
	}
	dir, err := s.install(ctx, "node")
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "node_modules/node-*/bin/node"))
	if err != nil || len(found) == 0 {
		return "", skip("Node is older than %d.%d, and npm has none for %s/%s: install a newer one",
			oldestNode[0], oldestNode[1], runtime.GOOS, runtime.GOARCH)
	}
	out, err := exec.CommandContext(ctx, found[0], "--version").Output()
	if err != nil {
		return "", skip("the Node of npm does not run: %v; install Node %d.%d or newer",
			err, oldestNode[0], oldestNode[1])
	}
	s.nodeVersion = strings.TrimSpace(string(out))
	return found[0], nil
}

// newEnough tells by what "node --version" prints.
func newEnough(printed string) bool {
	var major, minor int
	_, err := fmt.Sscanf(strings.TrimSpace(printed), "v%d.%d", &major, &minor)
	return err == nil && (major > oldestNode[0] || major == oldestNode[0] && minor >= oldestNode[1])
}

// installed is a file that is there when npm has installed everything.
const installed = ".installed"

// install copies a folder of scripts into the user's cache and has npm install what its
// lock file names, unless that was done before.
func (s *stores) install(ctx context.Context, folder string) (dir string, err error) {
	lock, err := scripts.ReadFile(folder + "/package-lock.json")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	if dir, err = cacheOf(folder + "-" + hex.EncodeToString(sum[:4])); err != nil {
		return "", err
	}
	if err := copyScripts(folder, dir); err != nil {
		return "", err
	}
	mark := filepath.Join(dir, installed)
	if _, err := os.Stat(mark); err == nil {
		return dir, nil
	}
	s.say("npm ci for %s, into the user's cache folder", folder)
	cmd := exec.CommandContext(ctx, "npm", "ci", "--omit=dev", "--ignore-scripts",
		"--no-audit", "--no-fund", "--loglevel=error", "--engine-strict=false")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", skip("npm ci for %s: %v: %s", folder, err, lastLine(string(out)))
	}
	return dir, os.WriteFile(mark, nil, 0o600)
}

// cacheOf returns a folder of the user's cache that stays from one comparison to the next.
func cacheOf(folder string) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", skip("no folder for packages: %v", err)
	}
	return filepath.Join(cache, "rowlock-bench", folder), nil
}

// copyScripts writes the files of a folder into dir.
func copyScripts(folder, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files, err := fs.ReadDir(scripts, folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		content, err := scripts.ReadFile(folder + "/" + f.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name()), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// lastLine returns the last line that is not empty.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
