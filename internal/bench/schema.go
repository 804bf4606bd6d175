// Here: the schema that a benchmark has to itself.

package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/migrations"
)

// SchemaName is the schema that a benchmark makes and drops. The search_path of the
// pool that it is given must be this name and nothing else.
const SchemaName = "rowlock_bench"

// SchemaOptions say what [TakeSchema] need not mind.
type SchemaOptions struct {
	Clean  bool // drop the schema first, if it is there
	Anyway bool // measure also while other jobs are in the database
}

// A RefusedError says why a database is not measured, and what to do. Nothing was
// changed.
type RefusedError struct{ Reason string }

// Error is the reason.
func (e *RefusedError) Error() string { return e.Reason }

// A Schema is held by this process alone until it is dropped.
type Schema struct{ conn *pgx.Conn }

// TakeSchema makes the schema with the queue's tables in it. It returns a
// [RefusedError] if the schema is there, if another benchmark is running, or if the
// database has jobs or workers in another schema. The caller drops it.
func TakeSchema(ctx context.Context, db *pgxpool.Pool, o SchemaOptions) (*Schema, error) {
	config := db.Config().ConnConfig
	if path := config.RuntimeParams["search_path"]; path != SchemaName {
		return nil, fmt.Errorf("bench: the pool's search_path is %q, not %s", path, SchemaName)
	}
	// A connection beside the pool: the lock is its session's, and a worker's slots are
	// as many as the pool's connections.
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &Schema{conn}
	made, err := s.take(ctx, o)
	if err == nil {
		_, err = migrations.Up(ctx, db)
	}
	switch {
	case err == nil:
		return s, nil
	case made:
		return nil, errors.Join(err, s.Drop())
	}
	return nil, errors.Join(err, s.release())
}

const lockSchemaSQL = `-- bench.lock_schema
SELECT pg_advisory_lock(hashtext($1))`

const schemaExistsSQL = `-- bench.schema_exists
SELECT to_regnamespace($1) IS NOT NULL`

const makeSchemaDDL = `-- bench.make_schema
CREATE SCHEMA ` + SchemaName

// take makes an empty schema, and says whether it did.
func (s *Schema) take(ctx context.Context, o SchemaOptions) (made bool, err error) {
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	if !o.Anyway {
		if err := s.refuseBusy(ctx); err != nil {
			return false, err
		}
	}
	var exists bool
	if err := s.conn.QueryRow(ctx, schemaExistsSQL, SchemaName).Scan(&exists); err != nil {
		return false, err
	}
	if exists && !o.Clean {
		return false, &RefusedError{fmt.Sprintf("the schema %s is there already, perhaps from "+
			"a benchmark that was killed: --clean drops it, with all that is in it", SchemaName)}
	}
	if exists {
		if err := s.drop(ctx); err != nil {
			return false, err
		}
	}
	if _, err := s.conn.Exec(ctx, makeSchemaDDL); err != nil {
		return false, fmt.Errorf("make the schema %s: %w", SchemaName, err)
	}
	return true, nil
}

// lock waits a little: the server may take a moment to see that an earlier benchmark
// has gone.
func (s *Schema) lock(ctx context.Context) error {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// A lock_timeout of the session's would also end a later DROP.
	_, err := s.conn.Exec(ctx, lockSchemaSQL, SchemaName)
	if ctx.Err() == context.DeadlineExceeded {
		return &RefusedError{"another benchmark is running on this database: wait for its end, " +
			"or name another database"}
	}
	return err
}

const othersSQL = `-- bench.others
SELECT nspname FROM pg_namespace
 WHERE nspname <> $1
   AND to_regclass(quote_ident(nspname) || '.rowlock_versions') IS NOT NULL
   AND to_regclass(quote_ident(nspname) || '.jobs') IS NOT NULL
   AND to_regclass(quote_ident(nspname) || '.workers') IS NOT NULL
 ORDER BY nspname`

// %[1]s is a schema.
const busySQL = `-- bench.busy
SELECT (SELECT count(*) FROM (SELECT FROM %[1]s.jobs LIMIT 10001) j),
       (SELECT count(*) FROM %[1]s.workers
         WHERE state = 'live' AND beat_at > now() - lease)`

// refuseBusy returns an error if a queue in another schema is at work. A benchmark
// would slow it down, and be slowed down.
func (s *Schema) refuseBusy(ctx context.Context) error {
	const counted = 10000
	rows, _ := s.conn.Query(ctx, othersSQL, SchemaName) // CollectRows returns its error
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	const or = "benchmark another one, or give --anyway"
	for _, schema := range schemas {
		var jobs, workers int
		sql := fmt.Sprintf(busySQL, pgx.Identifier{schema}.Sanitize())
		err := s.conn.QueryRow(ctx, sql).Scan(&jobs, &workers)
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "42501" {
			return &RefusedError{fmt.Sprintf("whether this database works cannot be seen: "+
				"schema %s has a queue that you may not read: %s", schema, or)}
		}
		if err != nil {
			return err
		}
		if jobs == 0 && workers == 0 {
			continue
		}
		count := fmt.Sprint(jobs)
		if jobs > counted {
			count = fmt.Sprintf("more than %d", counted)
		}
		return &RefusedError{fmt.Sprintf("this database works: %s live jobs and %d live workers "+
			"in schema %s: %s", count, workers, schema, or)}
	}
	return nil
}

// Drop drops the schema with all that is in it, also when the context of a measurement
// has ended, and lets go of it.
func (s *Schema) Drop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(s.drop(ctx), s.release())
}

const dropSchemaDDL = `-- bench.drop_schema
DROP SCHEMA IF EXISTS ` + SchemaName + ` CASCADE`

func (s *Schema) drop(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, dropSchemaDDL); err != nil {
		return fmt.Errorf("drop the schema %s: %w; drop it by hand, or run the next benchmark "+
			"with --clean", SchemaName, err)
	}
	return nil
}

// release closes the connection, and frees the lock by that.
func (s *Schema) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.conn.Close(ctx)
}
