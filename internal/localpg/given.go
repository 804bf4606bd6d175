package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Given returns the server that url names or, if url is empty, DATABASE_URL or
// the variables of libpq. It returns nil and no error where nothing names one.
// A server that is named but cannot be used is an error: whoever names a
// database does not want another one.
func Given(ctx context.Context, url string) (*Server, error) {
	var why string
	switch {
	case url != "":
		why = "the given URL"
	case os.Getenv("DATABASE_URL") != "":
		url, why = os.Getenv("DATABASE_URL"), "DATABASE_URL"
	default:
		if why = libpqVariable(); why == "" {
			return nil, nil
		}
	}
	version, err := ask(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("use the Postgres of %s: %w; start that server, "+
			"or name another, or none to get a throw-away one", why, err)
	}
	return &Server{URL: url, How: fmt.Sprintf("Postgres %s, named by %s", version, why)}, nil
}

// libpqVariable returns the first variable that says where libpq should
// connect, or "". PGUSER, PGPORT and the like alone name no server.
func libpqVariable() string {
	for _, name := range []string{"PGSERVICE", "PGHOST", "PGDATABASE"} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

// ask connects to url and returns the server's version, or an error if the
// server is too old for us.
func ask(ctx context.Context, url string) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()

	// server_version_num is 150018 for 15.18.
	var number string
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version'),
		current_setting('server_version_num')`).Scan(&version, &number)
	if err != nil {
		return "", fmt.Errorf("ask for its version: %w", err)
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return "", fmt.Errorf("read its version: %w", err)
	}
	if n/10000 < Oldest {
		return "", fmt.Errorf("it is version %s, and %d is the oldest that works", version, Oldest)
	}
	return version, nil
}
