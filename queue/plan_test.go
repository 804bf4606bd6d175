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
	Index    string  `json:"Index Name"`
	Cond     string  `json:"Index Cond"`
	Hit      int     `json:"Shared Hit Blocks"`
	Read     int     `json:"Shared Read Blocks"`
	Rows     float64 `json:"Actual Rows"`
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
func explain(t *testing.T, tx pgx.Tx, options string, s queue.Statement) (p plan) {
	t.Helper()
	require.NoError(t, queue.Settings().Exec(t.Context(), tx))
	var out []byte
	err := tx.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON`+options+`) `+s.SQL, s.Args...).Scan(&out)
	require.NoError(t, err)
	var plans []struct{ Plan plan }
	require.NoError(t, json.Unmarshal(out, &plans), "%s", out)
	return plans[0].Plan
}

// liveWorker makes a row for a worker that lives, and returns its id.
func (b *bench) liveWorker() int64 {
	b.t.Helper()
	return value[int64](b, `INSERT INTO workers (name, queues, slots, lease)
		VALUES ('host:1', '{default}', 100, '20 s') RETURNING id`)
}

// tablesOfJobs are states of the table in which the planner's statistics say other
// things than what it will hold a moment later.
var tablesOfJobs = map[string][]string{
	"virgin":         {},
	"analysed empty": {`ANALYZE jobs`},
	"drained": {
		fillSQL + ` FROM generate_series(1, 10000)`, `DELETE FROM jobs`, `VACUUM ANALYZE jobs`,
	},
	"300 rows": {fillSQL + ` FROM generate_series(1, 300)`, `ANALYZE jobs`},
}

const (
	fillSQL = `INSERT INTO jobs (kind, args, run_at)
		SELECT 'note', '{"text": "some"}', now() - interval '1 min'`
	burstSQL = fillSQL + ` FROM generate_series(1, 100000)`
)

func TestHotStatementsUseTheIndexesWhateverTheStatisticsSay(t *testing.T) {
	for name, statements := range tablesOfJobs {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.exec(`ALTER TABLE jobs SET (autovacuum_enabled = off)`)
			for _, sql := range statements {
				b.exec(sql)
			}
			worker := b.liveWorker()
			checkPlans(t, b, worker)
			b.exec(burstSQL) // and no ANALYZE
			checkPlans(t, b, worker)
			checkBuffers(t, b, worker)
		})
	}
}

// checkPlans looks at the plans of the hot statements without running them.
func checkPlans(t *testing.T, b *bench, worker int64) {
	t.Helper()
	tx := b.begin(pgx.TxOptions{})
	for _, n := range []int32{1, 100, 1000} {
		for _, cursor := range []time.Time{{}, time.Now().Add(-time.Hour)} {
			p := explain(t, tx, "", queue.Claim(worker, "default", n, cursor))
			require.Equal(t, []string{"jobs_pkey", "jobs_ready"}, indexesOfJobs(t, p), "claim: %v", p)
		}
		ids := make([]int64, n)
		for name, s := range queue.Finishes(ids, ids) {
			p := explain(t, tx, "", s)
			require.Equal(t, []string{"jobs_pkey"}, indexesOfJobs(t, p), "%s: %v", name, p)
		}
	}
	require.NoError(t, tx.Rollback(t.Context()))
}

// conditions are what a scan of an index asks it for, so as not to walk all of it.
var conditions = map[string][]string{
	"jobs_pkey":  {"id = ANY"},
	"jobs_ready": {"(queue)::text =", "priority =", "run_at <=", "ROW(run_at, (id + 0)) >"},
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
	p := explain(t, tx, ", ANALYZE, BUFFERS", queue.Claim(worker, "default", jobs, time.Time{}))
	require.EqualValues(t, jobs, p.Rows)
	require.Less(t, p.Hit+p.Read, pages, "claim")

	var ids, tokens []int64
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT array_agg(id), array_agg(token)
		FROM jobs WHERE state = 'running'`).Scan(&ids, &tokens))
	require.Len(t, ids, jobs)
	for name, s := range queue.Finishes(ids, tokens) {
		savepoint, err := tx.Begin(t.Context())
		require.NoError(t, err)
		found := 0.0
		for _, node := range explain(t, savepoint, ", ANALYZE, BUFFERS", s).all() {
			require.Less(t, node.Hit+node.Read, pages, "%s", name)
			if node.Index == "jobs_pkey" {
				found += node.Rows
			}
		}
		require.EqualValues(t, jobs, found, name)
		require.NoError(t, savepoint.Rollback(t.Context()))
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
				list := make([]queue.Args, jobs)
				for i := range list {
					list[i] = Note{Text: noise(bytes)}
				}
				b.batch(b.db, list...)
				if held { // then no page can be pruned
					tx := b.begin(pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
					_, err := tx.Exec(t.Context(), `SELECT FROM jobs`)
					require.NoError(t, err)
				}
				b.claimAll(jobs, 40)
				const counters = `SELECT n_tup_upd || ' updates, ' || n_tup_hot_upd || ' of them HOT'
					FROM pg_stat_user_tables WHERE relid = 'jobs'::regclass`
				want := fmt.Sprintf("%d updates, %d of them HOT", jobs, jobs)
				var got string
				require.Eventually(t, func() bool {
					got = value[string](b, counters)
					return strings.HasPrefix(got, fmt.Sprint(jobs, " updates"))
				}, patience, 5*time.Millisecond)
				require.Equal(t, want, got)
			})
		}
	}
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
// finished before. Claims begin behind that, and only sweeps walk over it.
func TestClaimDoesNotWalkOverWhatWasClaimedBefore(t *testing.T) {
	b := setup(t)
	worker := b.liveWorker()
	b.exec(fillSQL + ` FROM generate_series(1, 200000)`)
	held := b.begin(pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	_, err := held.Exec(t.Context(), `SELECT FROM jobs LIMIT 1`)
	require.NoError(t, err)
	cursor := value[time.Time](b, `SELECT max(run_at) + interval '1 s' FROM jobs`)
	b.exec(`DELETE FROM jobs`)
	b.exec(fillSQL + ` FROM generate_series(1, 1000)`)
	b.exec(`UPDATE jobs SET run_at = now()`)

	pages := func(cursor time.Time) int {
		tx := b.begin(pgx.TxOptions{})
		defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
		p := explain(t, tx, ", ANALYZE, BUFFERS", queue.Claim(worker, "default", 100, cursor))
		require.EqualValues(t, 100, p.Rows)
		return p.Hit + p.Read
	}
	require.Greater(t, pages(time.Time{}), 5000, "the sweep shows what is in the way")
	require.Less(t, pages(cursor), 2500)
}
