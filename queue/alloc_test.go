package queue_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// wholeBatch is how many jobs a loop takes at once under load.
const wholeBatch = queue.BatchLimit

// allocationsPerJob are how many each step may make for a job, pgx's included, and a
// job's share of those for a batch. A half above what they are, so that none is added
// unseen. They bound how many jobs a second one process works.
var allocationsPerJob = map[string]float64{
	"claim":    3.5, // one less where others' attempts are over, as in a turn
	"decode":   2.5,
	"dispatch": 3.5, // decode is one part of it
	"finish":   1.4,
	"turn":     5.7,
}

// It is not parallel: what others allocate would count, too.
func TestJobCostsFewAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	steps := steps(newPath(t, 1))
	steps["turn"] = newPath(t, 10).Turn
	for name, most := range allocationsPerJob {
		t.Run(name, func(t *testing.T) {
			perBatch := testing.AllocsPerRun(5, func() {
				jobs, err := steps[name](context.Background())
				require.NoError(t, err)
				require.Equal(t, wholeBatch, jobs)
			})
			t.Logf("%.2f allocations for a job", perBatch/wholeBatch)
			require.LessOrEqual(t, perBatch/wholeBatch, most)
		})
	}
}

func BenchmarkStep(b *testing.B) {
	steps := steps(newPath(b, 1))
	for _, name := range []string{"claim", "decode", "dispatch", "finish"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := steps[name](context.Background())
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*wholeBatch), "ns/job")
		})
	}
}

// steps are those of a job's way through this process, each for a whole batch: its row
// is read, its args are decoded, its handler runs, its end is encoded.
func steps(p *queue.Path) map[string]func(context.Context) (jobs int, err error) {
	decode := queue.Decoder[Note]()
	row := &queue.JobRow{Kind: "note", Args: json.RawMessage(`{"text": "some"}`)}
	return map[string]func(context.Context) (jobs int, err error){
		"claim": p.Claim,
		"decode": func(context.Context) (int, error) {
			for range wholeBatch {
				if _, err := decode(row); err != nil {
					return 0, err
				}
			}
			return wholeBatch, nil
		},
		"dispatch": func(context.Context) (int, error) { return p.Dispatch() },
		"finish":   func(context.Context) (int, error) { return p.Finish() },
	}
}

// newPath returns the path of jobs whose handler does nothing, with so many batches of
// them in the table.
func newPath(t testing.TB, batches int) *queue.Path {
	t.Helper()
	ctx := context.Background()
	db := pgtest.New(t)
	w := &queue.Worker{
		DB: db, Queues: []queue.Queue{{Name: "default", Slots: 10}}, Logger: slog.New(slog.DiscardHandler),
	}
	queue.HandleFunc(w, func(context.Context, *queue.Job[Note]) error { return nil })
	_, err := (&queue.Client{}).InsertBatch(ctx, db, queue.Each(notes(batches*wholeBatch)))
	require.NoError(t, err)
	var worker int64
	require.NoError(t, db.QueryRow(ctx, liveWorkerSQL).Scan(&worker))
	require.NoError(t, queue.Claim(worker, "default", wholeBatch, time.Time{}).Exec(ctx, db))
	p, err := queue.NewPath(ctx, w, worker, wholeBatch)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	for _, step := range []string{"claim", "dispatch", "finish"} { // for what follows them
		_, err := steps(p)[step](ctx)
		require.NoError(t, err)
	}
	return p
}
