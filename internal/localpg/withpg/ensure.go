package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/rowlock/rowlock/internal/localpg"
)

// A place is where this machine gets its Postgres from.
type place int

const (
	nowhere    place = iota
	inBinaries       // server binaries that localpg finds
	inDocker         // a Docker engine that answers
)

// ensure finds Postgres on this machine or installs it, in the way that asks
// least of it.
func ensure(ctx context.Context) (place, error) {
	b, missing := localpg.FindBinaries(ctx)
	if missing == nil {
		say("%s in %s", b.Version, b.Dir)
		return inBinaries, nil
	}
	if os.Getenv("PG_BIN") != "" {
		return nowhere, fmt.Errorf("%w; correct PG_BIN or unset it", missing)
	}
	for _, w := range ways() {
		if !w.open(ctx) {
			continue
		}
		say("%v; installing %s", missing, w.what)
		if err := w.install(ctx); err != nil {
			say("install %s: %v", w.what, err)
			continue
		}
		b, err := localpg.FindBinaries(ctx)
		if err == nil {
			say("%s in %s", b.Version, b.Dir)
			return inBinaries, nil
		}
		say("install %s: %v afterwards", w.what, err)
	}
	switch err := localpg.PingEngine(ctx); {
	case err == nil:
		say("%v, but a Docker engine", missing)
		return inDocker, nil
	case !errors.Is(err, localpg.ErrNoEngine):
		return nowhere, err
	}
	return nowhere, &localpg.NotFoundError{Binaries: missing}
}

// A way is one of the ways to install Postgres.
type way struct {
	what    string
	open    func(context.Context) bool // whether it can be tried here, without a question to anyone
	install func(context.Context) error
}

func ways() []way {
	return []way{
		{"Debian's package postgresql", aptOpen, aptInstall},
		{"Homebrew's " + brewFormula, brewOpen, brewInstall},
		{"npm's package " + npmPackage() + " for this user", npmOpen, npmInstall},
	}
}

// command runs a program in a directory and shows what it prints.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// What we print on standard output is the output of the command that we run.
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// has reports whether a program is on PATH.
func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
