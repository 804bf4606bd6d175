// Here: the demo on a server that was there before. It works in a schema of its
// own, and touches nothing else.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/internal/cli"
)

const demoSchema = "rowlock_demo"

// takeSchema makes the schema and keeps other demos out of it until the stage is
// closed.
func (s *stage) takeSchema(ctx context.Context) error {
	conn, err := s.db.Acquire(ctx)
	if err != nil {
		return err
	}
	s.onClose(func() error {
		// The lock is the session's, so that ends with it.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := conn.Conn().Close(ctx)
		conn.Release()
		return err
	})
	if err := lockSchema(ctx, conn); err != nil {
		return err
	}
	if s.options.clean {
		if err := dropSchema(ctx, conn); err != nil {
			return err
		}
		s.onClose(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			return dropSchema(ctx, conn)
		})
	}
	fmt.Fprintln(s.progress, "schema:", demoSchema)
	return makeSchema(ctx, conn)
}

const lockSchemaSQL = `-- worker.lock_schema
SELECT pg_try_advisory_lock(hashtext($1))`

// lockSchema asks for a second: the server may take a moment to see that an earlier
// demo has gone.
func lockSchema(ctx context.Context, conn *pgxpool.Conn) error {
	const tries, pause = 20, 50 * time.Millisecond
	for range tries {
		var ours bool
		if err := conn.QueryRow(ctx, lockSchemaSQL, demoSchema).Scan(&ours); err != nil {
			return fmt.Errorf("lock the schema %s: %w", demoSchema, err)
		}
		if ours {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return errors.New("another demo is running on this database: wait for its end, " +
		"or name another database")
}

const dropSchemaDDL = `-- worker.drop_schema
DROP SCHEMA IF EXISTS rowlock_demo CASCADE`

func dropSchema(ctx context.Context, conn *pgxpool.Conn) error {
	if _, err := conn.Exec(ctx, dropSchemaDDL); err != nil {
		return fmt.Errorf("drop the schema %s: %w", demoSchema, err)
	}
	return nil
}

const makeSchemaDDL = `-- worker.make_schema
CREATE SCHEMA IF NOT EXISTS rowlock_demo`

const schemaUsedSQL = `-- worker.schema_used
SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace($1))`

// makeSchema makes the schema, unless an empty one is there.
func makeSchema(ctx context.Context, conn *pgxpool.Conn) error {
	var used bool
	if err := conn.QueryRow(ctx, schemaUsedSQL, demoSchema).Scan(&used); err != nil {
		return fmt.Errorf("look for the schema %s: %w", demoSchema, err)
	}
	if used {
		return cli.Usagef("the schema %s holds an earlier demo: --clean drops it", demoSchema)
	}
	if _, err := conn.Exec(ctx, makeSchemaDDL); err != nil {
		return fmt.Errorf("make the schema %s: %w; have someone make it who may, for you to own it",
			demoSchema, err)
	}
	return nil
}

// psql is what opens the database. A URL that was given may hold a password: it is
// not shown.
func (s *stage) psql() string {
	const path = "PGOPTIONS='-c search_path=" + demoSchema + "' psql"
	switch {
	case s.server.Throwaway:
		return fmt.Sprintf("psql '%s'", s.server.URL)
	case s.server.URL == "":
		return path
	case s.server.URL == os.Getenv("DATABASE_URL"):
		return path + ` "$DATABASE_URL"`
	}
	return path + " URL"
}
