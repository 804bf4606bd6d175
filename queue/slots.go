// Here: what this process has in hand. The slots of its queues, the attempts that
// run in them, and those that ended and are not on record yet.

package queue

import (
	"sync"
	"time"
)

// slots is shared by the loop, which fills them, and by the attempts, which
// leave them.
type slots struct {
	mu      sync.Mutex
	queues  []Queue
	free    map[string]int        // by queue
	running map[*attempt]struct{} // handlers that have not returned
	ended   []*ending             // for the loop to record
	held    int                   // jobs whose end is not on record
	asking  bool                  // a claim is on its way, and may bring more
	suspect *attempt              // has the suspect slot, if any
	closed  bool                  // nothing more is claimed

	bell    chan struct{} // rings when an attempt has ended
	settled chan struct{} // rings when one more is on record or has returned, once closed
}

func newSlots(queues []Queue) *slots {
	s := &slots{
		queues:  queues,
		free:    make(map[string]int, len(queues)),
		running: make(map[*attempt]struct{}),
		bell:    make(chan struct{}, 1),
		settled: make(chan struct{}, 1),
	}
	for _, q := range queues {
		s.free[q.Name] = q.Slots
	}
	return s
}

// wish returns a claim for the free slots, at most limit for each queue, or nil if
// there are none. The caller calls answered once it holds what came of it.
func (s *slots) wish(limit int) *wish {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	w := &wish{suspect: s.suspect == nil, token: newToken()}
	for _, q := range s.queues {
		if n := s.free[q.Name]; n > 0 {
			w.queues, w.free = append(w.queues, q.Name), append(w.free, int32(min(n, limit)))
		}
	}
	if w.queues == nil {
		return nil
	}
	s.asking = true
	return w
}

// answered notes that what a claim brought is held.
func (s *slots) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = false
	s.moved()
}

// start gives a a slot. It answers false if nothing more is to start, or if a is a
// suspect and another one runs.
func (s *slots) start(a *attempt, suspect bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || suspect && s.suspect != nil {
		return false
	}
	if suspect {
		s.suspect = a
	}
	s.held++
	s.free[a.job.Queue]--
	s.running[a] = struct{}{}
	return true
}

// end takes a's slot back and queues e to be recorded, unless a was given back
// before: then nobody asks how it ended.
func (s *slots) end(a *attempt, e *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.running[a]; !ok {
		return
	}
	delete(s.running, a)
	s.free[a.job.Queue]++
	if s.suspect == a {
		s.suspect = nil
	}
	s.put(e)
}

// hold queues e to be recorded, whose attempt never had a slot.
func (s *slots) hold(e *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held++
	s.put(e)
}

// again queues endings to be recorded that were taken before.
func (s *slots) again(e ...*ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(e...)
}

func (s *slots) put(e ...*ending) {
	s.ended = append(s.ended, e...)
	ring(s.bell)
	s.moved()
}

// take returns at most limit endings to record.
func (s *slots) take(limit int) []*ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(limit, len(s.ended))
	taken := s.ended[:n:n]
	s.ended = s.ended[n:]
	return taken
}

// done notes that n jobs are on record as ended.
func (s *slots) done(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= n
	s.moved()
}

func (s *slots) moved() {
	if s.closed {
		ring(s.settled)
	}
}

// close keeps wish from asking for more.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.moved()
}

// each calls f for the attempts that run.
func (s *slots) each(f func(a *attempt)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := range s.running {
		f(a)
	}
}

// count returns how many attempts run, how many jobs are held, and whether a claim
// is on its way.
func (s *slots) count() (running, held int, asking bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running), s.held, s.asking
}

// giveBack ends all that runs as returned, whatever its handlers will say.
func (s *slots) giveBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := range s.running {
		s.put(&ending{attempt: a, fate: returned})
		delete(s.running, a)
	}
}

// wait returns true when no attempt runs or, if all, no job is held and no claim on
// its way; and false when d has passed or now is closed before that. It is for one
// caller, after close.
func (s *slots) wait(d time.Duration, now <-chan struct{}, all bool) bool {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		running, held, asking := s.count()
		if running == 0 && (!all || held == 0 && !asking) {
			return true
		}
		select {
		case <-s.settled:
		case <-over.C:
			return false
		case <-now:
			return false
		}
	}
}
