package bench

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// take returns a pool on the schema of a benchmark.
func take(t *testing.T, o SchemaOptions) (*pgxpool.Pool, *Schema) {
	t.Helper()
	config, err := pgxpool.ParseConfig(pgtest.URL(pgtest.Empty(t)))
	require.NoError(t, err)
	config.ConnConfig.RuntimeParams["search_path"] = SchemaName
	db, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	s, err := TakeSchema(t.Context(), db, o)
	require.NoError(t, err)
	return db, s
}

func TestInterruptedDrainHasItsRuns(t *testing.T) {
	t.Parallel()
	db, s := take(t, SchemaOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Drain(ctx, db, DrainOptions{Jobs: 1000, Runs: 1, Progress: func(what string, _, _ int) {
		if strings.HasPrefix(what, "limit 1 of 1, 2 loops of") {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.GreaterOrEqual(t, len(r.Runs), 2)
	require.Less(t, len(r.Runs), 4)
	require.Equal(t, "drain", r.Runs[0].What)
	require.Equal(t, r.Runs[0].JobsPerSecond, r.JobsPerSecond)
	require.NoError(t, s.Drop())
}

func TestWorkerInTroubleIsNotMeasured(t *testing.T) {
	t.Parallel()
	db, s := take(t, SchemaOptions{})
	_, err := db.Exec(t.Context(), `ALTER TABLE finished_jobs ADD CHECK (kind <> 'bench')`)
	require.NoError(t, err)
	r, err := Drain(t.Context(), db, DrainOptions{Jobs: 10, Runs: 1})
	require.ErrorContains(t, err, "the worker is in trouble")
	require.Empty(t, r.Runs)
	require.NoError(t, s.Drop())
}

func TestOnlyOneBenchmarkAtATime(t *testing.T) {
	t.Parallel()
	db, s := take(t, SchemaOptions{})
	_, err := TakeSchema(t.Context(), db, SchemaOptions{Clean: true})
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "another benchmark is running")
	require.NoError(t, s.Drop())
	s, err = TakeSchema(t.Context(), db, SchemaOptions{})
	require.NoError(t, err)
	require.NoError(t, s.Drop())
}

func TestPoolOfAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	_, err := TakeSchema(t.Context(), pgtest.Empty(t), SchemaOptions{})
	require.ErrorContains(t, err, "search_path")
}

func TestNothingToMeasure(t *testing.T) {
	t.Parallel()
	_, err := Drain(t.Context(), nil, DrainOptions{Jobs: 1})
	require.Error(t, err)
	_, err = Limit(t.Context(), nil, LimitOptions{Runs: 1})
	require.Error(t, err)
	_, err = Steady(t.Context(), nil, SteadyOptions{For: time.Second, Inserters: 1, Batch: 2, Backlog: 1})
	require.Error(t, err)
	_, err = Xmin(t.Context(), nil, XminOptions{Free: time.Second})
	require.Error(t, err)
	_, err = Tx(t.Context(), nil, TxOptions{Jobs: 1})
	require.Error(t, err)
	_, err = Pool(t.Context(), nil, PoolOptions{For: time.Second, Runs: 1})
	require.Error(t, err)
	_, err = Scale(t.Context(), nil, ScaleOptions{Jobs: 1, Runs: 1, Processes: []int{1, 0}})
	require.Error(t, err)
	_, err = Backlog(t.Context(), nil, BacklogOptions{Jobs: 1, Runs: 1})
	require.Error(t, err)
	_, err = Burst(t.Context(), nil, BurstOptions{})
	require.Error(t, err)
	_, err = Idle(t.Context(), nil, IdleOptions{})
	require.Error(t, err)
	_, err = Latency(t.Context(), nil, LatencyOptions{Rate: 1})
	require.Error(t, err)
	_, err = Insert(t.Context(), nil, InsertOptions{Jobs: 1, Batch: 1})
	require.Error(t, err)
}

func TestFigures(t *testing.T) {
	t.Parallel()
	require.Zero(t, median(nil))
	require.Equal(t, 2.0, median([]float64{3, 1, 2}))
	require.Equal(t, 2.5, median([]float64{4, 3, 1, 2}))

	waits := make([]float64, 1000)
	for i := range waits {
		waits[i] = float64(i + 1)
	}
	require.Equal(t, 500.0, quantile(waits, 0.5))
	require.Equal(t, 999.0, quantile(waits, 0.999))
	require.Equal(t, 1000.0, quantile(waits, 1))
	require.Equal(t, 1.0, quantile(waits[:1], 0.5))
	require.Zero(t, quantile(nil, 0.5))

	require.Equal(t, []Bucket{{1, 2}, {2, 0}, {4, 1}}, buckets([]float64{0.6, 1, 3}))
}

func TestSumsAndBestLoops(t *testing.T) {
	t.Parallel()
	d := &drainer{runs: []DrainRun{
		{What: worker, JobsPerSecond: 80},
		{What: limit, Loops: 1, Batch: 1000, JobsPerSecond: 90},
		{What: limit, Loops: 2, Batch: 1000, JobsPerSecond: 100},
		{What: worker, JobsPerSecond: 60},
		{What: limit, Loops: 2, Batch: 1000, JobsPerSecond: 120},
		{What: worker, JobsPerSecond: 77},
	}}
	r := d.result()
	require.Equal(t, form{2, 1000}, d.best())
	require.Equal(t, 77.0, r.JobsPerSecond)
	require.Equal(t, 110.0, r.Limit)
	require.Equal(t, 0.7, r.Ratio)
	sums := r.Sums()
	require.Len(t, sums, 3)
	require.Equal(t, DrainSum{What: worker, Runs: 3, JobsPerSecond: 77, Min: 60, Max: 80}, sums[0])
}

func TestTripsAreThoseThatEndedInASpan(t *testing.T) {
	t.Parallel()
	zero := time.Now()
	p := &probe{}
	for _, second := range []int{0, 1, 2, 3} {
		at := zero.Add(time.Duration(second) * time.Second)
		p.claims = append(p.claims, claimed{at: at, took: time.Duration(9-second) * time.Millisecond})
	}
	require.Len(t, p.since(zero.Add(time.Second)), 3)
	require.Empty(t, p.since(zero.Add(time.Minute)))
	require.Equal(t, []float64{7, 8}, trips(p.claims, zero.Add(time.Second), zero.Add(3*time.Second)))
}

func TestPhasesOfXmin(t *testing.T) {
	t.Parallel()
	x := &xminer{flow: &flow{probe: &probe{}}}
	require.Zero(t, x.speed(PhaseFree))
	for n, phase := range []string{PhaseFree, PhaseHeld, PhaseHeld, PhaseAfter} {
		x.seconds = append(x.seconds, XminSecond{Second: n, Phase: phase, Finished: 10 * n})
	}
	from, to := x.phase(PhaseHeld)
	require.Equal(t, []int{1, 3}, []int{from, to})
	require.Equal(t, 15.0, x.speed(PhaseHeld))
}

func TestScaleIsComparedToOneProcess(t *testing.T) {
	t.Parallel()
	o := ScaleOptions{Jobs: 7}
	r := o.result([]int{1, 2, 4}, map[int][]float64{1: {100, 80, 90}, 2: {180}})
	require.Equal(t, ScaleResult{7, []ScaleProcesses{
		{1, 90, 1, []float64{100, 80, 90}}, {2, 180, 2, []float64{180}},
	}}, r)
	require.Zero(t, o.result([]int{2}, map[int][]float64{2: {180}}).Processes[0].RatioToOne)
}

func TestBacklogIsComparedToTheSmallTable(t *testing.T) {
	t.Parallel()
	sums := sumBacklog([]*BacklogFigures{
		{Scenario: small, Runs: []float64{100, 300, 200}}, {Scenario: "1m", Runs: []float64{160}}, {Scenario: "dead"},
	})
	require.Len(t, sums, 2)
	require.Equal(t, 200.0, sums[0].JobsPerSecond)
	require.Zero(t, sums[0].Ratio)
	require.Equal(t, 1.25, sums[1].Ratio)
}

func TestInParallel(t *testing.T) {
	t.Parallel()
	var sum atomic.Int64
	require.NoError(t, inParallel(t.Context(), 3, 101, func(n int) error {
		sum.Add(int64(n))
		return nil
	}))
	require.EqualValues(t, 5050, sum.Load())
	err := inParallel(t.Context(), 2, 1000, func(n int) error { return errors.New("no") })
	require.EqualError(t, err, "no")
}
