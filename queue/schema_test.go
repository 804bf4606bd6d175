package queue_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/migrations"
	"github.com/rowlock/rowlock/queue"
)

// Goose's version tables, primary keys and the indexes of partitions speak for
// themselves.
const commentsSQL = `
WITH ours AS (
  SELECT c.oid, c.relname, c.relkind, c.relispartition
    FROM pg_class c
   WHERE c.relnamespace = current_schema()::regnamespace
     AND c.relname NOT LIKE 'rowlock\_%versions%'),
named (what, comment) AS (
  SELECT 'relation ' || relname, obj_description(oid, 'pg_class')
    FROM ours WHERE relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT 'column ' || o.relname || '.' || a.attname, col_description(o.oid, a.attnum)
    FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE o.relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT 'index ' || o.relname, obj_description(o.oid, 'pg_class')
    FROM ours o JOIN pg_index i ON i.indexrelid = o.oid
   WHERE NOT i.indisprimary AND NOT o.relispartition
  UNION ALL
  SELECT 'function ' || p.proname, obj_description(p.oid, 'pg_proc')
    FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
  UNION ALL
  SELECT 'type ' || t.typname, obj_description(t.oid, 'pg_type')
    FROM pg_type t
   WHERE t.typnamespace = current_schema()::regnamespace
     AND (t.typtype IN ('e', 'd')
          OR EXISTS (SELECT FROM pg_class WHERE oid = t.typrelid AND relkind = 'c')))
SELECT what, coalesce(comment, '') FROM named ORDER BY what`

// People inspect with psql.
func TestEverythingInTheSchemaHasAComment(t *testing.T) {
	b := setup(t)
	rows, err := b.db.Query(t.Context(), commentsSQL)
	require.NoError(t, err)
	comments := map[string]string{}
	for rows.Next() {
		var what, comment string
		require.NoError(t, rows.Scan(&what, &comment))
		comments[what] = comment
	}
	require.NoError(t, rows.Err())
	for _, what := range []string{
		"relation jobs", "relation all_jobs", "relation finished_jobs_default", "column jobs.id",
		"column all_jobs.worker", "index jobs_ready", "function make_finished_days",
		"type job_state", "type job_name",
	} {
		require.Contains(t, comments, what, "the query looks at everything")
	}
	for what, comment := range comments {
		require.NotEmpty(t, comment, what)
	}
}

// columns are values of a row, as SQL spells them, by column.
type columns map[string]string

// insertInto returns an INSERT of a row with some columns changed.
func insertInto(table string, base, changes columns) string {
	row := maps.Clone(base)
	maps.Copy(row, changes)
	names := slices.Sorted(maps.Keys(row))
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = row[name]
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)",
		table, strings.Join(names, ", "), strings.Join(values, ", "))
}

var (
	queuedRow  = columns{"kind": "'note'"}
	runningRow = columns{
		"kind": "'note'", "state": "'running'", "token": "1", "worker": "1", "claimed_at": "now()",
		"attempt": "1",
	}
	endedRow = columns{
		"id": "1", "kind": "'note'", "queue": "'default'", "token": "0", "worker": "0",
		"claimed_at": "'epoch'", "priority": "2", "attempt": "1", "max_attempts": "26",
		"lost_count": "0", "args": "'{}'", "run_at": "now()", "created_at": "now()",
	}
	workerRow = columns{"name": "'h:1'", "queues": "'{}'", "slots": "1", "lease": "'20 s'"}
)

// An illegalRow is refused by this constraint.
type illegalRow struct {
	base       columns
	changes    columns
	constraint string
}

// illegalRows are what nobody can insert, by table.
var illegalRows = map[string][]illegalRow{
	"jobs": {
		{queuedRow, columns{"state": "'dead'"}, "jobs_state"},
		{queuedRow, columns{"state": "'completed'"}, "jobs_state"},
		{queuedRow, columns{"state": "'cancelled'"}, "jobs_state"},
		{queuedRow, columns{"state": "'discarded'"}, "jobs_state"},
		{queuedRow, columns{"token": "1"}, "jobs_claim"},
		{queuedRow, columns{"token": "-1"}, "jobs_claim"},
		{queuedRow, columns{"attempt": "26"}, "jobs_claim"},
		{queuedRow, columns{"max_attempts": "0"}, "jobs_claim"},
		{queuedRow, columns{"max_attempts": "1001"}, "jobs_max_attempts"},
		{queuedRow, columns{"attempt": "-1"}, "jobs_attempt"},
		{runningRow, columns{"token": "0"}, "jobs_claim"},
		{runningRow, columns{"token": "-1"}, "jobs_claim"},
		{runningRow, columns{"worker": "0"}, "jobs_claim"},
		{runningRow, columns{"claimed_at": "'epoch'"}, "jobs_claim"},
		{runningRow, columns{"attempt": "0"}, "jobs_claim"},
		{runningRow, columns{"attempt": "27"}, "jobs_attempt"},
		{runningRow, columns{"lost_count": "4"}, "jobs_lost_count"},
		{runningRow, columns{"lost_count": "-1"}, "jobs_lost_count"},
		{queuedRow, columns{"priority": "0"}, "jobs_priority"},
		{queuedRow, columns{"priority": "5"}, "jobs_priority"},
		{queuedRow, columns{"run_at": "'infinity'"}, "jobs_run_at"},
		{queuedRow, columns{"run_at": "'-infinity'"}, "jobs_run_at"},
		{queuedRow, columns{"run_at": "'1969-12-31 23:59:59.999999+00'"}, "jobs_run_at"},
		{queuedRow, columns{"run_at": "'10000-01-01 00:00:00+00'"}, "jobs_run_at"},
		{queuedRow, columns{"unique_key": "''"}, "jobs_unique_key"},
		{queuedRow, columns{"unique_key": "repeat('é', 129)"}, "jobs_unique_key"},
		{queuedRow, columns{"unique_key": "'held'"}, "jobs_unique"},
		{queuedRow, columns{"kind": "''"}, "job_name"},
		{queuedRow, columns{"kind": "'a b'"}, "job_name"},
		{queuedRow, columns{"kind": "E'a\\n'"}, "job_name"},
		{queuedRow, columns{"kind": "'é'"}, "job_name"},
		{queuedRow, columns{"kind": "repeat('a', 129)"}, "job_name"},
		{queuedRow, columns{"queue": "' '"}, "job_name"},
		{queuedRow, columns{"id": "1"}, ""}, // numbered by the database alone
		{queuedRow, columns{"kind": "NULL"}, ""},
		{queuedRow, columns{"args": "NULL"}, ""},
		{queuedRow, columns{"run_at": "NULL"}, ""},
		{runningRow, columns{"token": "NULL"}, ""},
	},
	"dead_jobs": {
		{endedRow, columns{"state": "'queued'"}, "dead_jobs_state"},
		{endedRow, columns{"state": "'completed'"}, "dead_jobs_state"},
		{endedRow, columns{"state": "'dead'", "attempt": "27"}, "dead_jobs_attempt"},
		{endedRow, columns{"state": "'dead'", "run_at": "'infinity'"}, "dead_jobs_run_at"},
		{endedRow, columns{"state": "'dead'", "kind": "' '"}, "job_name"},
		{endedRow, columns{"state": "'dead'", "id": "NULL"}, ""},
	},
	"finished_jobs": {
		{endedRow, columns{"state": "'running'"}, "finished_jobs_state"},
		{endedRow, columns{"state": "'dead'"}, "finished_jobs_state"},
		{endedRow, columns{"state": "'completed'", "run_at": "'infinity'"}, "finished_jobs_times"},
		{endedRow, columns{"state": "'completed'", "finished_at": "'-infinity'"}, "finished_jobs_times"},
	},
	"workers": {
		{workerRow, columns{"state": "'asleep'", "ended_at": "now()"}, "workers_state"},
		{workerRow, columns{"ended_at": "now()"}, "workers_ended_at"},
		{workerRow, columns{"state": "'dead'"}, "workers_ended_at"},
	},
	"queues": {{columns{}, columns{"name": "'a b'"}, "job_name"}},
}

// What refuses a row that no constraint with a name does.
const (
	notNullCode = "23502"
	alwaysCode  = "428C9" // a column that is GENERATED ALWAYS
)

func TestIllegalRowsAreRefused(t *testing.T) {
	b := setup(t)
	// What is wrong with the rows below is what was changed of these.
	b.exec(insertInto("jobs", queuedRow, nil))
	b.exec(insertInto("jobs", runningRow, nil))
	b.exec(insertInto("jobs", queuedRow, columns{"unique_key": "'held'"}))
	b.exec(insertInto("dead_jobs", endedRow, columns{"state": "'dead'"}))
	b.exec(insertInto("workers", workerRow, nil))
	for _, state := range []string{"'completed'", "'cancelled'", "'discarded'"} {
		b.exec(insertInto("finished_jobs", endedRow, columns{"state": state}))
	}
	for table, rows := range illegalRows {
		for _, row := range rows {
			sql := insertInto(table, row.base, row.changes)
			_, err := b.db.Exec(t.Context(), sql)
			var pgErr *pgconn.PgError
			require.ErrorAs(t, err, &pgErr, sql)
			require.Equal(t, row.constraint, pgErr.ConstraintName, "%s: %v", sql, err)
			if row.constraint == "" {
				require.Contains(t, []string{notNullCode, alwaysCode}, pgErr.Code, sql)
			}
		}
	}
}

// Updates by hand are checked as well.
func TestIllegalChangesAreRefused(t *testing.T) {
	b := setup(t)
	b.exec(insertInto("jobs", queuedRow, nil))
	b.exec(insertInto("jobs", runningRow, nil))
	for sql, constraint := range map[string]string{
		`UPDATE jobs SET state = 'running' WHERE state = 'queued'`:              "jobs_claim",
		`UPDATE jobs SET state = 'queued' WHERE state = 'running'`:              "jobs_claim",
		`UPDATE jobs SET token = 0 WHERE state = 'running'`:                     "jobs_claim",
		`UPDATE jobs SET state = 'dead' WHERE state = 'queued'`:                 "jobs_state",
		`UPDATE jobs SET max_attempts = 1, attempt = 2 WHERE state = 'running'`: "jobs_attempt",
		`UPDATE jobs SET run_at = run_at + interval '9000 years'`:               "jobs_run_at",
	} {
		_, err := b.db.Exec(t.Context(), sql)
		var pgErr *pgconn.PgError
		require.ErrorAs(t, err, &pgErr, sql)
		require.Equal(t, constraint, pgErr.ConstraintName, sql)
	}
}

// A claim is a HOT update only if no index needs what it writes.
func TestClaimWritesWhatNoIndexNeeds(t *testing.T) {
	b := setup(t)
	claimBlock := []string{"state", "token", "worker", "claimed_at", "attempt", "lost_count"}
	// Keys, expressions and predicates alike.
	indexed := func() []string {
		return value[[]string](b, `SELECT array_agg(DISTINCT a.attname)
			FROM pg_index i
			JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
			                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid
			WHERE i.indrelid = 'jobs'::regclass`)
	}
	// A constraint's index is known through its constraint.
	constrained := value[[]string](b, `SELECT array_agg(DISTINCT a.attname)
		FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = 'jobs'::regclass`)
	require.Subset(t, append(indexed(), constrained...),
		[]string{"id", "kind", "queue", "priority", "run_at", "unique_key"}, "the query sees them")
	for _, column := range claimBlock {
		require.NotContains(t, indexed(), column)
		require.NotContains(t, constrained, column)
	}
	require.Len(t, claimBlock, value[int](b, `SELECT count(*) FROM pg_attribute
		WHERE attrelid = 'jobs'::regclass AND attname = ANY ($1) AND attnotnull AND attlen > 0
		  AND attgenerated = '' AND attisdropped = false`, claimBlock), "fixed width, never NULL")
	require.Zero(t, value[int](b, `SELECT
		(SELECT count(*) FROM pg_attribute WHERE attrelid = 'jobs'::regclass AND attgenerated <> '')
		+ (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'jobs'::regclass)
		+ (SELECT count(*) FROM pg_constraint WHERE 'jobs'::regclass IN (conrelid, confrelid)
		      AND contype = 'f')
		+ (SELECT count(*) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
		      JOIN pg_am a ON a.oid = c.relam AND a.amname <> 'btree'
		    WHERE i.indrelid = 'jobs'::regclass)`),
		"no generated column, trigger, foreign key or GIN index")

	for _, ddl := range []string{
		`CREATE INDEX ON jobs (run_at) WHERE state = 'queued'`, `CREATE INDEX ON jobs ((token + 1))`,
	} {
		before := len(indexed())
		b.exec(ddl)
		require.Greater(t, len(indexed()), before, "the query sees %s", ddl)
	}
}

// poolIn returns a pool on b's database whose tables are in another schema.
func (b *bench) poolIn(schema string) *pgxpool.Pool {
	b.t.Helper()
	config := b.db.Config()
	config.ConnConfig.RuntimeParams["search_path"] = schema
	db, err := pgxpool.NewWithConfig(b.t.Context(), config)
	require.NoError(b.t, err)
	b.t.Cleanup(db.Close)
	return db
}

// All of it works in any schema, and in two of one database.
func TestEachSchemaHasAnInstallationOfItsOwn(t *testing.T) {
	b := setup(t)
	const schema = `"Tom's ""other"" one"`
	b.exec(`CREATE SCHEMA ` + schema)
	other := &bench{t: t, db: b.poolIn(schema), heard: make(chan error, 10)}
	_, err := migrations.Up(t.Context(), other.db)
	require.NoError(t, err)
	keyed := queue.With{Args: Note{}, Unique: "k"}
	here, there := b.insert(keyed), other.insert(keyed)
	b.insert(Note{})

	other.w = other.worker()
	queue.HandleFunc(other.w, doNothing)
	other.run()
	other.until(there, queue.StateCompleted)
	require.NoError(t, other.stopped())
	require.Empty(t, other.errs)
	require.Equal(t, 1, value[int](other, `SELECT count(*) FROM workers`))
	require.Zero(t, value[int](b, `SELECT count(*) FROM workers`))
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM jobs`))
	require.Equal(t, 1, value[int](b, `SELECT count(*) FROM jobs WHERE id = $1`, here))
}
