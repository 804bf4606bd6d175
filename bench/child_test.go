package main

import (
	"context"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// obedient speaks the protocol of a child, and inserts nothing.
const obedient = `
echo ready 1.2 in sh
while read -r what n; do
	case $what in
	insert) echo "a line of a library"; echo "inserted $n" ;;
	work) echo working; echo ran 7 ;;
	stop) echo stopped; exit ;;
	esac
done`

func TestProducersServeMoreCallersThanTheyAre(t *testing.T) {
	started := 0
	p, err := startProducers(t.Context(), func(ctx context.Context) (*child, error) {
		started++
		return startChild(ctx, exec.Command("sh", "-c", obedient))
	})
	require.NoError(t, err)
	require.Equal(t, mostProducers, started)
	require.Equal(t, "1.2 in sh", p.version())
	var all sync.WaitGroup
	errs := make(chan error, 3*mostProducers)
	for range cap(errs) {
		all.Go(func() { errs <- p.insert(t.Context(), 1000) })
	}
	all.Wait()
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.NoError(t, p.stop())
}

func TestProducersThatCannotStartLeaveNobodyBehind(t *testing.T) {
	var first *child
	_, err := startProducers(t.Context(), func(ctx context.Context) (*child, error) {
		if first != nil {
			return startChild(ctx, exec.Command("sh", "-c", "echo no database >&2"))
		}
		c, err := startChild(ctx, exec.Command("sh", "-c", obedient))
		first = c
		return c, err
	})
	require.ErrorContains(t, err, "no database")
	require.ErrorContains(t, first.check(), "the process ended")
}

func TestAChildCountsWhatItRuns(t *testing.T) {
	c, err := startChild(t.Context(), exec.Command("sh", "-c", obedient))
	require.NoError(t, err)
	require.NoError(t, c.start(t.Context()))
	require.NoError(t, c.stop())
	require.Equal(t, 7, c.ran())
	require.Error(t, c.tell(t.Context(), "insert 1", "inserted"), "it has gone")
}
