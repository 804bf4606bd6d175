package migrations_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/migrations"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relations returns what is in the first schema of the search_path, day partitions
// and their indexes left out, with the columns of each.
func relations(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	var all []string
	require.NoError(t, db.QueryRow(t.Context(), `
		SELECT coalesce(array_agg(what ORDER BY what), '{}') FROM (
		  SELECT concat_ws(' ', c.relname, c.relkind, string_agg(
		           concat_ws(' ', a.attname, a.atttypid::regtype, a.attnotnull), ', ' ORDER BY a.attnum))
		    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		   WHERE c.relnamespace = current_schema()::regnamespace
		     AND c.relname !~ '^finished_jobs_\d'
		   GROUP BY c.oid
		  UNION ALL
		  SELECT 'function ' || oid::regprocedure FROM pg_proc
		   WHERE pronamespace = current_schema()::regnamespace
		  UNION ALL
		  SELECT 'type ' || typname FROM pg_type
		   WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('e', 'd')) r (what)`).
		Scan(&all))
	return all
}

func run(t *testing.T, db *pgxpool.Pool, sql string) {
	t.Helper()
	_, err := db.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func TestUpDownAndUpAgain(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	applied, err := migrations.Up(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, "queue/00001_jobs.sql", applied[0])
	full := relations(t, db)
	require.NotEmpty(t, full)

	again, err := migrations.Up(t.Context(), db)
	require.NoError(t, err)
	require.Empty(t, again, "it is up to date")

	for i := range applied {
		name, err := migrations.Down(t.Context(), db)
		require.NoError(t, err)
		require.Equal(t, applied[len(applied)-1-i], name)
	}
	name, err := migrations.Down(t.Context(), db)
	require.NoError(t, err)
	require.Empty(t, name, "there is none left")
	for _, what := range relations(t, db) {
		require.Contains(t, what, "rowlock_versions", "nothing else is left")
	}

	again, err = migrations.Up(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, applied, again)
	require.Equal(t, full, relations(t, db))
}

func TestShopIsALineOfItsOwn(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	applied, err := migrations.UpShop(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, "shop/00001_orders.sql", applied[0])
	name, err := migrations.Down(t.Context(), db)
	require.NoError(t, err)
	require.Empty(t, name, "Down takes nothing of the shop's")
	_, err = migrations.Up(t.Context(), db)
	require.NoError(t, err)
}

func TestDownRefusesToLoseJobs(t *testing.T) {
	t.Parallel()
	const row = ` (id, run_at, created_at, token, claimed_at, worker, state, priority, attempt,
		max_attempts, lost_count, kind, queue, args) OVERRIDING SYSTEM VALUE
		VALUES (1, now(), now(), 0, now(), 0, `
	for table, state := range map[string]string{"jobs": "'queued'", "dead_jobs": "'dead'"} {
		db := pgtest.New(t)
		run(t, db, `INSERT INTO `+table+row+state+`, 2, 0, 1, 0, 'note', 'default', '{}')`)
		var err error
		for name := "later"; name != "" && err == nil; { // those that lose nothing go down
			name, err = migrations.Down(t.Context(), db)
		}
		require.ErrorContains(t, err, "migrate down: ")
		require.ErrorContains(t, err, "jobs or dead_jobs has rows, which this would lose")
		var n int
		require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM all_jobs`).Scan(&n))
		require.Equal(t, 1, n, "the job is still in %s", table)
	}
}

func TestForeignTablesAreLeftAlone(t *testing.T) {
	t.Parallel()
	for ddl, says := range map[string]string{
		`CREATE TABLE jobs (theirs text)`: "migrate: schema public has a table jobs that is not ours: " +
			"put another schema first in the search_path",
		`CREATE VIEW jobs AS SELECT 'theirs' AS theirs`: "that is not ours",
		`CREATE TABLE workers (theirs text)`: "migrate 00001_jobs.sql: ERROR: " +
			`relation "workers" already exists`,
	} {
		db := pgtest.Empty(t)
		run(t, db, ddl)
		before := relations(t, db)
		applied, err := migrations.Up(t.Context(), db)
		require.ErrorContains(t, err, says)
		require.Empty(t, applied)
		var left []string
		for _, what := range relations(t, db) {
			if !strings.HasPrefix(what, "rowlock_versions") {
				left = append(left, what)
			}
		}
		require.Equal(t, before, left)
	}
}

func TestSchemaIsTheFirstOfTheSearchPath(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	run(t, db, `CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE jobs (theirs text)`)
	before := relations(t, db)
	for _, path := range []string{"one, public", "two"} {
		config := db.Config()
		config.ConnConfig.RuntimeParams["search_path"] = path
		there, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		defer there.Close()
		_, err = migrations.Up(t.Context(), there)
		require.NoError(t, err, path)
		// Its rows are moved in the schema that the function is of.
		run(t, there, `INSERT INTO finished_jobs_default (id, run_at, created_at, token,
			claimed_at, worker, state, priority, attempt, max_attempts, lost_count, kind, queue, args,
			finished_at) VALUES (1, now(), now(), 0, now(), 0, 'completed', 2, 1, 1, 0, 'note',
			'default', '{}', now() + interval '10 days')`)
	}
	for _, schema := range []string{"one", "two"} {
		var made, left int
		require.NoError(t, db.QueryRow(t.Context(),
			`SELECT `+schema+`.make_finished_days(11)`).Scan(&made))
		require.Equal(t, 4, made, schema)
		require.NoError(t, db.QueryRow(t.Context(),
			`SELECT count(*) FROM `+schema+`.finished_jobs_default`).Scan(&left))
		require.Zero(t, left, schema)
	}
	require.Equal(t, before, relations(t, db), "nothing came to public")
}

func TestSchemaThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	config := pgtest.Empty(t).Config()
	config.ConnConfig.RuntimeParams["search_path"] = "nowhere"
	db, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer db.Close()
	_, err = migrations.Up(t.Context(), db)
	require.EqualError(t, err,
		"migrate: no schema of the search_path exists: create one or set another")
}

// Several instances of a program that start at once all migrate.
func TestMigrationsRunOnceForManyAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	type answer struct {
		applied []string
		err     error
	}
	const many = 2
	answers := make(chan answer, many)
	for range many {
		go func() {
			var a answer
			a.applied, a.err = migrations.Up(t.Context(), db)
			answers <- a
		}()
	}
	applied := map[string]int{}
	for range many {
		select {
		case a := <-answers:
			require.NoError(t, a.err)
			for _, name := range a.applied {
				applied[name]++
			}
		case <-time.After(time.Minute):
			require.FailNow(t, "they wait for each other")
		}
	}
	require.Contains(t, applied, "queue/00001_jobs.sql")
	for name, times := range applied {
		require.Equal(t, 1, times, name)
	}
}
