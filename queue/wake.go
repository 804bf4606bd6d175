// Here: how a worker that waits learns of an insert in its own process, without
// asking the database.

package queue

import (
	"sync"

	"github.com/jackc/pgx/v5"
)

// sleepers are the workers of this process.
var sleepers wakeSet

// A wakeSet is channels that are told that there may be work. Which worker it is
// for is not known here: one that is woken for nothing asks once in vain.
type wakeSet struct {
	mu    sync.Mutex
	bells map[chan struct{}]struct{}
}

// add returns a channel that wake sends to, until remove.
func (s *wakeSet) add() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bells == nil {
		s.bells = make(map[chan struct{}]struct{})
	}
	bell := make(chan struct{}, 1)
	s.bells[bell] = struct{}{}
	return bell
}

func (s *wakeSet) remove(bell chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bells, bell)
}

func (s *wakeSet) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for bell := range s.bells {
		ring(bell)
	}
}

// wakeAfter wakes the workers of this process after a write through db, if that is
// committed by now. One in a transaction is found by a poll.
func wakeAfter(db DB) {
	if _, inTx := db.(pgx.Tx); !inTx {
		sleepers.wake()
	}
}

// ring makes whoever waits for bell, or will next, go on.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
