package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/queue"
)

func TestParseQueues(t *testing.T) {
	t.Parallel()
	got, err := parseQueues("default:50, exports:2")
	require.NoError(t, err)
	require.Equal(t, []queue.Queue{{Name: "default", Slots: 50}, {Name: "exports", Slots: 2}}, got)
}

func TestHandlersShareFewerConnectionsThanSlots(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int32{
		"default:1":          4,
		"default:50":         17,
		defaultQueues:        17 + 7 + 4,
		"exports:1000000":    50,
		"a:30,b:30,exports:": 0,
	} {
		queues, err := parseQueues(text)
		if want == 0 {
			require.Error(t, err)
			continue
		}
		require.Equal(t, want, connsFor(queues), text)
	}
}
