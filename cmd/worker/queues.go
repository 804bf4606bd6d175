// Here: --queues.

package main

import (
	"strconv"
	"strings"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

// defaultQueues has few slots for exports: each holds a connection for long.
const defaultQueues = "default:50,notifications:20,exports:2"

// parseQueues reads name:slots,name:slots…
func parseQueues(text string) (queues []queue.Queue, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, number, ok := strings.Cut(strings.TrimSpace(part), ":")
		slots, bad := strconv.Atoi(number)
		if !ok || name == "" || bad != nil || slots < 1 {
			return nil, cli.Usagef("--queues (QUEUES): %q is not name:slots with at least 1 slot; "+
				"an example is %s", part, defaultQueues)
		}
		queues = append(queues, queue.Queue{Name: name, Slots: slots})
	}
	return queues, nil
}

// connsFor returns how many connections the handlers of queues share. Most of an
// attempt is spent waiting for the gateway or the mail server without one, so a
// third of the slots is plenty; an export holds one for as long as it takes.
func connsFor(queues []queue.Queue) (conns int32) {
	for _, q := range queues {
		slots := int32(min(q.Slots, 100))
		if q.Name == "exports" {
			conns += 2 * slots // and its progress is noted through a second one
			continue
		}
		conns += (slots + 2) / 3
	}
	return min(max(conns, 4), 50)
}
