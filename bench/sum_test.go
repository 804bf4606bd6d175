package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSumsAreMediansByWorkload(t *testing.T) {
	sums := sumUp([]Run{
		{System: "river", Workload: drain, Jobs: 50, Speed: 20, WAL: 2000},
		{System: "rowlock", Workload: drain, Jobs: 100, Speed: 90, WAL: 600},
		{System: "rowlock", Workload: drain, Jobs: 100, Speed: 50, WAL: 620},
		{System: "rowlock", Workload: drain, Jobs: 100, Speed: 60, WAL: 610},
		{System: "asynq", Workload: insert, Jobs: 100, Speed: 7},
	})
	require.Equal(t, []Sum{
		{System: "asynq", Workload: insert, Runs: 1, Jobs: 100, Speed: 7, Min: 7, Max: 7},
		{
			System: "rowlock", Workload: drain, Runs: 3, Jobs: 100, Speed: 60, Min: 50, Max: 90,
			WAL: 610, Ratio: 1,
		},
		{
			System: "river", Workload: drain, Runs: 1, Jobs: 50, Speed: 20, Min: 20, Max: 20,
			WAL: 2000, Ratio: 3,
		},
	}, sums)
}

func TestRatioNeedsBothSides(t *testing.T) {
	require.Equal(t, 2.5, ratio(50, 20))
	require.Zero(t, ratio(0, 20))
	require.Zero(t, ratio(50, 0))
}

func TestMedianKeepsTheOrder(t *testing.T) {
	all := []float64{3, 1, 2, 10}
	require.Equal(t, 2.5, median(all))
	require.Equal(t, []float64{3, 1, 2, 10}, all)
	require.Zero(t, median(nil))
}

func TestThousands(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 999.6: "1,000", 123456: "123,456", 1234567: "1,234,567", -1234: "-1,234", -123: "-123",
	} {
		require.Equal(t, want, thousands(x))
	}
}

func TestSlowPeersGetFewerJobs(t *testing.T) {
	require.Equal(t, 100_000, enough(100_000, 300_000))
	require.Equal(t, 30_000, enough(100_000, 19_999))
	require.Equal(t, 1000, enough(100_000, 0.5))
	require.Equal(t, 500, enough(500, 0.5), "never more than asked for")
}
