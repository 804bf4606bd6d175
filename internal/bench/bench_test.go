package bench

import (
	"context"
	"strings"
	"testing"

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
		if strings.HasPrefix(what, "limit 1 of 1, 2 loops") {
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

	require.Equal(t, []Bucket{{1, 2}, {2, 0}, {4, 1}}, buckets([]float64{0.6, 1, 3}))
}

func TestSumsAndBestLoops(t *testing.T) {
	t.Parallel()
	d := &drainer{runs: []DrainRun{
		{What: worker, JobsPerSecond: 80},
		{What: limit, Loops: 1, JobsPerSecond: 90},
		{What: limit, Loops: 2, JobsPerSecond: 100},
		{What: worker, JobsPerSecond: 60},
		{What: limit, Loops: 2, JobsPerSecond: 120},
		{What: worker, JobsPerSecond: 77},
	}}
	r, best := d.result()
	require.Equal(t, 2, best)
	require.Equal(t, 77.0, r.JobsPerSecond)
	require.Equal(t, 110.0, r.Limit)
	require.Equal(t, 0.7, r.Ratio)
	sums := r.Sums()
	require.Len(t, sums, 3)
	require.Equal(t, DrainSum{What: worker, Runs: 3, JobsPerSecond: 77, Min: 60, Max: 80}, sums[0])
}
