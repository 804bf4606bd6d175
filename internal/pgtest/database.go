package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/migrations"
)

// templateOnce makes the template on the server of this process.
var templateOnce = sync.OnceValues(func() (string, error) {
	s, err := serverOnce()
	if err != nil {
		return "", err
	}
	return template(context.Background(), s.URL)
})

// template returns the name of a database in which all migrations have run. It
// makes it where it is missing: under a lock, so that of many test processes one
// does it, and under another name at first, so that a process that dies on the
// way leaves no half-made template.
func template(ctx context.Context, server string) (name string, err error) {
	hash, err := hashOf(migrations.FS)
	if err != nil {
		return "", err
	}
	name = "rowlock_template_" + hash
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }() // gives up the lock

	_, err = conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended($1, 0))`, name)
	if err != nil {
		return "", err
	}
	var exists bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).
		Scan(&exists)
	if err != nil || exists {
		return name, err
	}
	unfinished, err := clone(ctx, server, "template0", "template")
	if err != nil {
		return "", err
	}
	if err := migrate(ctx, withDatabase(server, unfinished)); err != nil {
		return "", errors.Join(err, drop(ctx, server, unfinished))
	}
	// A database that somebody is connected to cannot be copied.
	_, err = conn.Exec(ctx, `ALTER DATABASE `+quote(unfinished)+` ALLOW_CONNECTIONS false`)
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+quote(unfinished)+` RENAME TO `+quote(name))
	return name, err
}

// hashOf returns a short hash of all files' names and contents.
func hashOf(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil)[:6]), err
}

func migrate(ctx context.Context, database string) error {
	db, err := pgxpool.New(ctx, database)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := migrations.Up(ctx, db); err != nil {
		return err
	}
	_, err = migrations.UpShop(ctx, db)
	return err
}

// strange matches what a database's name should not hold.
var strange = regexp.MustCompile(`[^a-z0-9]+`)

// clone makes a copy of a template, with a new name that tells whose it is.
func clone(ctx context.Context, server, template, owner string) (name string, err error) {
	owner = strings.Trim(strange.ReplaceAllString(strings.ToLower(owner), "_"), "_")
	// Postgres cuts names at 63 bytes.
	name = fmt.Sprintf("rowlock_%.40s_%s", owner, strings.ToLower(rand.Text()[:10]))
	return name, admin(ctx, server, `CREATE DATABASE `+quote(name)+` TEMPLATE `+quote(template))
}

// drop removes a database, and connections to it that something left open.
func drop(ctx context.Context, server, name string) error {
	return admin(ctx, server, `DROP DATABASE `+quote(name)+` WITH (FORCE)`)
}

// admin runs one statement on a connection of its own.
func admin(ctx context.Context, server, statement string) (err error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err = conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func quote(name string) string {
	return pgx.Identifier{name}.Sanitize()
}

// withDatabase returns the connection string of another database on the server
// that a connection string names.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		u.Path = "/" + name
		return u.String()
	}
	return strings.TrimSpace(server + " dbname=" + name) // of two, the last one counts
}
