package queue_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

// A plan is what EXPLAIN (FORMAT JSON) says of a node, and of those below it.
type plan struct {
	Node     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Alias    string  `json:"Alias"`
	Index    string  `json:"Index Name"`
	Cond     string  `json:"Index Cond"`
	Estimate float64 `json:"Plan Rows"`
	Hit      int     `json:"Shared Hit Blocks"`
	Read     int     `json:"Shared Read Blocks"`
	Rows     float64 `json:"Actual Rows"`
	WAL      int     `json:"WAL Bytes"`
	Images   int     `json:"WAL FPI"`
	Plans    []plan  `json:"Plans"`
}

// all returns p and the nodes below it.
func (p plan) all() []plan {
	nodes := []plan{p}
	for _, below := range p.Plans {
		nodes = append(nodes, below.all()...)
	}
	return nodes
}

// String is the plan as a person reads it.
func (p plan) String() string {
	s := p.Node
	if p.Relation != "" {
		s += " on " + p.Relation
	}
	if p.Index != "" {
		s += " by " + p.Index
	}
	for _, below := range p.Plans {
		s += "\n  " + strings.ReplaceAll(below.String(), "\n", "\n  ")
	}
	return s
}

// explain returns the plan of a statement in a batch of the loop's.
func explain(t *testing.T, tx pgx.Tx, options string, s queue.Statement) plan {
	t.Helper()
	require.NoError(t, queue.Settings().Exec(t.Context(), tx))
	return planOf(t, tx, options, s.SQL, s.Args...)
}

// explainGeneric is [explain] for the plan that is made without a look at the arguments.
func explainGeneric(t *testing.T, tx pgx.Tx, options string, s queue.Statement) plan {
	t.Helper()
	const name = "hot"
	require.NoError(t, queue.Settings().Exec(t.Context(), tx))
	_, err := tx.Exec(t.Context(), `SET LOCAL plan_cache_mode = force_generic_plan`)
	require.NoError(t, err)
	conn := tx.Conn()
	prepared, err := conn.Prepare(t.Context(), name, s.SQL)
	require.NoError(t, err)
	args := make([]string, len(s.Args))
	for i, arg := range s.Args {
		text, err := conn.TypeMap().Encode(prepared.ParamOIDs[i], pgx.TextFormatCode, arg, nil)
		require.NoError(t, err)
		args[i] = "'" + strings.ReplaceAll(string(text), "'", "''") + "'"
	}
	p := planOf(t, tx, options, `EXECUTE `+name+` (`+strings.Join(args, ", ")+`)`)
	require.NoError(t, conn.Deallocate(t.Context(), name))
	return p
}

// planners are the two ways in which a statement gets its plan.
var planners = map[string]func(*testing.T, pgx.Tx, string, queue.Statement) plan{
	"custom": explain, "generic": explainGeneric,
}

func planOf(t *testing.T, tx pgx.Tx, options, sql string, args ...any) plan {
	t.Helper()
	var out []byte
	err := tx.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON`+options+`) `+sql, args...).Scan(&out)
	require.NoError(t, err)
	var plans []struct{ Plan plan }
	require.NoError(t, json.Unmarshal(out, &plans), "%s", out)
	return plans[0].Plan
}

// liveWorker makes a row for a worker that lives, and returns its id.
func (b *bench) liveWorker() int64 {
	b.t.Helper()
	return value[int64](b, liveWorkerSQL)
}

const liveWorkerSQL = `INSERT INTO workers (name, queues, slots, lease)
	VALUES ('host:1', '{default}', 100, '20 s') RETURNING id`

// tablesOfJobs are states of the table in which the planner's statistics say other
// things than what it will hold a moment later.
var tablesOfJobs = map[string][]string{
	"virgin":         {},
	"analysed empty": {`ANALYZE jobs`},
	"drained": {
		fillSQL + ` FROM generate_series(1, 10000)`, `DELETE FROM jobs`, `VACUUM ANALYZE jobs`,
	},
	"300 rows":        {fillSQL + ` FROM generate_series(1, 300)`, `ANALYZE jobs`},
	tenMillion:        {fillSQL + ` FROM generate_series(1, 20000)`, `ANALYZE jobs`, sayTenMillionSQL},
	tenMillionMingled: {mingledSQL, `ANALYZE jobs`, sayTenMillionSQL},
}

const (
	tenMillion        = "10 million rows"
	tenMillionMingled = "10 million rows of all lanes"

	// The planner takes from here how many rows there are on a page, and counts the pages.
	sayTenMillionSQL = `UPDATE pg_class SET reltuples = 1e7
		WHERE oid = ANY ('{jobs, jobs_pkey, jobs_ready}'::regclass[])`

	fillSQL = `INSERT INTO jobs (kind, args, run_at)
		SELECT 'note', '{"text": "some"}', now() - interval '1 min'`
	mingledSQL = `INSERT INTO jobs (kind, queue, priority, args, run_at)
		SELECT ('{note,mail,export}'::text[])[1 + i % 3], ('{default,mails,exports}'::text[])[1 + i % 3],
		       1 + i % 4, '{"text": "some"}', now() - i * interval '1 ms'
		  FROM generate_series(1, 20000) AS i`
	burstSQL = fillSQL + ` FROM generate_series(1, 100000)`
)

func TestHotStatementsUseTheIndexesWhateverTheStatisticsSay(t *testing.T) {
	for name, statements := range tablesOfJobs {
		t.Run(name, func(t *testing.T) {
			b := setupTable(t, statements)
			if name == tenMillion || name == tenMillionMingled {
				p := planOf(t, b.begin(pgx.TxOptions{}), "", `SELECT FROM jobs`)
				require.GreaterOrEqual(t, p.Estimate, 1e7, "or the planner has not been told")
			}
			worker := b.liveWorker()
			checkPlans(t, b, worker)
			b.exec(burstSQL) // and no ANALYZE
			checkPlans(t, b, worker)
			checkBuffers(t, b, worker)
		})
	}
}

// setupTable is setup with a table of jobs out of tablesOfJobs, which stays as it is.
func setupTable(t *testing.T, statements []string) *bench {
	t.Helper()
	b := setup(t)
	b.exec(`ALTER TABLE jobs SET (autovacuum_enabled = off)`)
	for _, sql := range statements {
		if sql == sayTenMillionSQL && value[string](b, `SHOW is_superuser`) == "off" {
			t.Skip("only a superuser can say that a table has 10 million rows")
		}
		b.exec(sql)
	}
	return b
}

// checkPlans looks at the plans of the hot statements without running them.
func checkPlans(t *testing.T, b *bench, worker int64) {
	t.Helper()
	tx := b.begin(pgx.TxOptions{})
	for mode, explain := range planners {
		for _, n := range []int32{1, 100, 1000} {
			checkClaimPlans(t, tx, mode, worker, n)
			ids := make([]int64, n)
			for name, s := range queue.Finishes(ids, 0) {
				p := explain(t, tx, "", s)
				require.Equal(t, []string{"jobs_pkey"}, indexesOfJobs(t, p), "%s, %s: %v", name, mode, p)
			}
		}
	}
	require.NoError(t, tx.Rollback(t.Context()))
}

// checkClaimPlans looks at claims and sweeps, of one queue and of several.
func checkClaimPlans(t *testing.T, tx pgx.Tx, mode string, worker int64, n int32) {
	t.Helper()
	for _, queues := range [][]string{{"default"}, {"default", "mails", "exports"}} {
		for _, cursor := range []time.Time{{}, time.Now().Add(-time.Hour)} {
			p := planners[mode](t, tx, "", queue.ClaimOf(worker, queues, n, cursor, 1, 2, 3))
			require.Equal(t, []string{"jobs_pkey", "jobs_pkey", "jobs_ready"}, indexesOfJobs(t, p),
				"claim, %s: %v", mode, p)
			sweep := planners[mode](t, tx, "", queue.Sweep(queues, cursor))
			require.Equal(t, []string{"jobs_ready"}, indexesOfJobs(t, sweep), "sweep, %s: %v", mode, sweep)
			// The lanes are walked one after the other, else a LIMIT above them would not
			// leave out the last ones.
			var outer []string
			for _, node := range p.all() {
				if strings.HasPrefix(node.Node, "Nested Loop") {
					outer = append(outer, node.Plans[0].Alias)
				}
				require.NotRegexp(t, `Hash|Merge|Materialize|Memoize`, node.Node, "claim, %s: %v", mode, p)
			}
			require.Equal(t, []string{"q", "p"}, outer, "claim, %s: %v", mode, p)
		}
	}
}

// conditions are what a scan of an index asks it for, so as not to walk all of it.
var conditions = map[string][]string{
	"jobs_pkey":  {"id = ANY"},
	"jobs_ready": {"(queue)::text =", "priority =", "run_at <=", "ROW(run_at, (id + 0))"},
}

// indexesOfJobs returns by which indexes a plan reads jobs, each scan once, and
// refuses one that reads it in another way, sorts or joins to it.
func indexesOfJobs(t *testing.T, p plan) (indexes []string) {
	t.Helper()
	for _, node := range p.all() {
		require.NotContains(t, node.Node, "Sort", "%v", p)
		require.NotContains(t, node.Node, "Bitmap", "%v", p)
		if node.Relation != "jobs" {
			continue
		}
		if node.Node == "ModifyTable" {
			require.Equal(t, "jobs_pkey", node.Plans[len(node.Plans)-1].Index, "%v", p)
			continue
		}
		require.Equal(t, "Index Scan", node.Node, "%v", p)
		for _, condition := range conditions[node.Index] {
			require.Contains(t, node.Cond, condition, "by %s: %v", node.Index, p)
		}
		indexes = append(indexes, node.Index)
	}
	slices.Sort(indexes)
	return indexes
}

// checkBuffers runs the hot statements for a hundred jobs, and counts the pages that
// they touch. To read through the table of the burst or an index of it takes more.
func checkBuffers(t *testing.T, b *bench, worker int64) {
	t.Helper()
	const jobs, pages = 100, 20 * 100
	require.Greater(t, value[int](b, `SELECT pg_relation_size('jobs') / 8192`), pages*3/2)
	tx := b.begin(pgx.TxOptions{})
	seen := []int64{}
	for mode, explain := range planners {
		p := explain(t, tx, ", ANALYZE, BUFFERS", queue.Claim(worker, "default", jobs, time.Time{}))
		require.EqualValues(t, jobs, p.Rows)
		require.Less(t, p.Hit+p.Read, pages, "claim, %s", mode)

		var (
			ids   []int64
			token int64
		)
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT array_agg(id), min(token)
			FROM jobs WHERE state = 'running' AND id <> ALL ($1)`, seen).Scan(&ids, &token))
		require.Len(t, ids, jobs)
		seen = append(seen, ids...)
		for name, s := range queue.Finishes(ids, token) {
			savepoint, err := tx.Begin(t.Context())
			require.NoError(t, err)
			found := 0.0
			for _, node := range explain(t, savepoint, ", ANALYZE, BUFFERS", s).all() {
				require.Less(t, node.Hit+node.Read, pages, "%s, %s", name, mode)
				if node.Index == "jobs_pkey" {
					found += node.Rows
				}
			}
			require.EqualValues(t, jobs, found, "%s, %s", name, mode)
			require.NoError(t, savepoint.Rollback(t.Context()))
		}
	}
	require.NoError(t, tx.Rollback(t.Context()))
}

// noise is text that does not compress.
func noise(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random)
	return base64.StdEncoding.EncodeToString(random)[:bytes]
}

func TestClaimsAreHOTUpdates(t *testing.T) {
	for _, bytes := range []int{0, 200, 2_000, 8_000} {
		for _, held := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, snapshot held %v", bytes, held), func(t *testing.T) {
				b := setup(t)
				const jobs = 300
				b.batch(b.db, noisy(jobs, bytes)...)
				if held {
					b.holdSnapshot()
				}
				b.claimAll(jobs, 40)
				var all, hot int
				require.Eventually(t, func() bool {
					all, hot = b.updates()
					return all >= jobs
				}, patience, 5*time.Millisecond)
				require.Equal(t, jobs, all)
				require.Equal(t, jobs, hot)
			})
		}
	}
}

// As above, with all that a worker does besides.
func TestWorkerClaimsByHOTUpdates(t *testing.T) {
	for _, bytes := range []int{0, 200, 2_000, 8_000} {
		for _, held := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, snapshot held %v", bytes, held), func(t *testing.T) {
				b := setup(t)
				const portions, portion, jobs = 5, 60, 5 * 60
				other := b.beside("claims")
				other.w.Queues[0].Slots = jobs
				ran := make(chan struct{}, jobs)
				other.failWith(func(*queue.Job[Note]) error {
					ran <- struct{}{}
					return nil
				})
				if held {
					b.holdSnapshot()
				}
				other.run()
				for range portions {
					b.batch(b.db, noisy(portion, bytes)...)
					for range portion {
						receive(t, ran)
					}
				}
				require.NoError(t, other.stopped())
				other.db.Close()
				b.untilGone("claims")
				updates, hot := b.updates()
				require.GreaterOrEqual(t, updates, jobs)
				// A job that waited too long for a processor was given back and claimed again:
				// two more updates, for which there may be no room on the page.
				require.LessOrEqual(t, updates-hot, updates-jobs, "%d updates, %d of them HOT", updates, hot)
			})
		}
	}
}

// noisy returns n jobs with so many bytes of args.
func noisy(n, bytes int) []queue.Args {
	jobs := make([]queue.Args, n)
	for i := range jobs {
		jobs[i] = Note{Text: noise(bytes)}
	}
	return jobs
}

// holdSnapshot keeps pages from being pruned for the rest of the test.
func (b *bench) holdSnapshot() {
	b.t.Helper()
	tx := b.begin(pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	_, err := tx.Exec(b.t.Context(), `SELECT FROM jobs`)
	require.NoError(b.t, err)
}

// updates returns how many updates of jobs the server has counted, and how many of them
// were HOT.
func (b *bench) updates() (all, hot int) {
	b.t.Helper()
	require.NoError(b.t, b.db.QueryRow(b.t.Context(), `SELECT n_tup_upd, n_tup_hot_upd
		FROM pg_stat_user_tables WHERE relid = 'jobs'::regclass`).Scan(&all, &hot))
	return all, hot
}

// claimAll claims all jobs, which are so many, as a worker would that ends none.
func (b *bench) claimAll(jobs int64, limit int32) {
	b.t.Helper()
	worker := b.liveWorker()
	conn, err := b.db.Acquire(b.t.Context())
	require.NoError(b.t, err)
	defer conn.Release()
	for claimed := int64(0); claimed < jobs; {
		tx, err := conn.Begin(b.t.Context())
		require.NoError(b.t, err)
		require.NoError(b.t, queue.Settings().Exec(b.t.Context(), tx))
		claim := queue.Claim(worker, "default", limit, time.Time{})
		tag, err := tx.Exec(b.t.Context(), claim.SQL, claim.Args...)
		require.NoError(b.t, err)
		require.NotZero(b.t, tag.RowsAffected())
		claimed += tag.RowsAffected()
		require.NoError(b.t, tx.Commit(b.t.Context()))
	}
	// Statistics are told when the session is idle next, not in a second or so.
	_, err = conn.Exec(b.t.Context(), `SELECT pg_stat_force_next_flush()`)
	require.NoError(b.t, err)
}

// A transaction that stays open keeps vacuum from removing what was claimed and
// finished before. Only sweeps walk over it; claims begin behind it, and take by their ids
// the jobs that are found before it.
func TestClaimDoesNotWalkOverWhatWasClaimedBefore(t *testing.T) {
	b := setup(t)
	worker := b.liveWorker()
	b.exec(fillSQL + ` FROM generate_series(1, 200000)`)
	b.holdSnapshot()
	cursor := value[time.Time](b, `SELECT max(run_at) + interval '1 s' FROM jobs`)
	b.exec(`DELETE FROM jobs`)
	b.exec(fillSQL + ` FROM generate_series(1, 1000)`)
	b.exec(`UPDATE jobs SET run_at = now()`)
	late := value[[]int64](b, `WITH late AS (
		INSERT INTO jobs (kind, args, run_at)
		SELECT 'note', '{}', now() - interval '1 h' FROM generate_series(1, 50) RETURNING id)
		SELECT array_agg(id) FROM late`)

	check := func(s queue.Statement, rows int) (pages int) {
		tx := b.begin(pgx.TxOptions{})
		defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
		p := explain(t, tx, ", ANALYZE, BUFFERS", s)
		require.EqualValues(t, rows, p.Rows)
		return p.Hit + p.Read
	}
	const many, few = 5000, 2500
	require.Greater(t, check(queue.Sweep([]string{"default"}, time.Time{}), 1050), many)
	require.Less(t, check(queue.Sweep([]string{"default"}, cursor), 1000), few)
	require.Greater(t, check(queue.Claim(worker, "default", 100, time.Time{}), 100), many)
	require.Less(t, check(queue.Claim(worker, "default", 100, cursor), 100), few)
	require.Less(t, check(queue.Claim(worker, "default", 50, cursor, late...), 100), few)
}
