// Package localpg finds a Postgres for the demo, the tests and the benchmarks,
// or starts one.
//
// The order is always the same, and what was chosen is told in [Server.How]:
//
//  1. a URL that the caller was given, or DATABASE_URL: exactly that server.
//     If it does not answer, that is the error; nothing else is tried.
//  2. the variables of libpq, if PGHOST, PGDATABASE or PGSERVICE is set: the
//     same.
//  3. server binaries on this machine: a throw-away cluster on a unix socket,
//     see [Throwaway].
//  4. Docker, if its engine answers: the database of docker-compose.yml, see
//     [Compose].
//  5. an error of three lines that says what to do.
//
// A server that merely listens on this machine is never used: it may be
// anyone's.
package localpg

import (
	"context"
	"errors"
	"fmt"
)

// Oldest is the oldest major version of Postgres that rowlock works with.
const Oldest = 15

// Options say what kind of Postgres is wanted. The zero value finds or starts
// one for a demo or a test.
type Options struct {
	// URL names a server to use and nothing else: a postgres:// URL or libpq's
	// "key=value" form. Empty means DATABASE_URL, if that is set.
	URL string

	// Durable makes a throw-away cluster keep what it has committed when the
	// machine fails, as servers in production do. Benchmarks and crash tests
	// want that; without it fsync is off.
	Durable bool

	// MaxConnections is how many connections a throw-away cluster takes;
	// 0 means 200.
	MaxConnections int

	// Settings are further lines of postgresql.conf for a throw-away cluster,
	// name to value. They come last and win.
	Settings map[string]string

	// Dir is where the directory of a throw-away cluster is made. Empty means the
	// system's directory for temporary files. A long path does not do: the
	// cluster's socket is in it, and 104 bytes are all that a socket's path has.
	Dir string
}

// A Server is a Postgres to connect to.
type Server struct {
	// URL is its connection string, with a superuser for a throw-away cluster. It
	// is empty when the variables of libpq say all there is to say; pgx and psql
	// take it as it is.
	URL string

	// How says in one line which server this is, and why.
	How string

	// Throwaway is true for a cluster that Close removes, and false for a server
	// that was there before.
	Throwaway bool

	stop func() error
}

// Close stops and removes a throw-away cluster. It leaves every other server as
// it is. Further calls do nothing.
func (s *Server) Close() error {
	if s.stop == nil {
		return nil
	}
	return s.stop()
}

// Start finds or starts a Postgres, in the order that the package comment
// gives. The caller closes it.
func Start(ctx context.Context, o Options) (*Server, error) {
	if s, err := Given(ctx, o.URL); s != nil || err != nil {
		return s, err
	}
	s, noBinaries := Throwaway(ctx, o)
	if s != nil || !errors.Is(noBinaries, ErrNoBinaries) {
		return s, noBinaries
	}
	s, err := Compose(ctx)
	if errors.Is(err, ErrNoEngine) {
		return nil, &NotFoundError{Binaries: noBinaries}
	}
	return s, err
}

// A NotFoundError says that this machine has no Postgres for us. Its text is
// three lines that tell a person what to do.
type NotFoundError struct {
	Binaries error // why no server binaries would do
}

// Error is three lines long, for a terminal.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf(`no Postgres to use (%v). Do one of these:
  sudo apt-get install postgresql    # or: brew install postgresql@18; or start Docker
  export DATABASE_URL=postgres://USER:PASSWORD@HOST:5432/DATABASE`, e.Binaries)
}

// Unwrap returns why no server binaries would do.
func (e *NotFoundError) Unwrap() error { return e.Binaries }
