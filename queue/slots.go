// Here: what this process has in hand. The jobs that wait for a slot, the attempts
// that run in one, and those that ended and are not on record yet.

package queue

import (
	"slices"
	"sync"
	"time"
)

// holdLimit is how long a claimed job may wait for a slot here. Others may have a
// free one.
const holdLimit = 100 * time.Millisecond

// slots is shared by the loops, which fill them, and by the attempts, which leave
// them.
type slots struct {
	mu      sync.Mutex
	queues  []*queueSlots
	byName  map[string]*queueSlots
	running []*attempt    // handlers that have not returned
	ended   []*ending     // for a loop to record
	held    int           // jobs whose end is not on record
	aside   []*ending     // those that could not be recorded
	flying  int           // batches on their way
	missed  bool          // somebody wanted to send another meanwhile
	lingers bool          // the bell rings soon
	backlog bool          // the last claim left some behind
	flight  time.Duration // how long the last claim was on its way
	wished  time.Time     // when it began
	suspect *attempt      // has the suspect slot, if any
	closed  bool          // nothing more is claimed

	bell    chan struct{} // rings when an attempt has ended
	settled chan struct{} // rings when one more is on record or has returned, once closed
}

// queueSlots are those of one queue. Each busy one has a goroutine, which goes from
// job to job and ends when none waits.
//
// So that it need not stand still while a claim is on its way, jobs are claimed
// ahead. That is none where jobs take much longer than a claim, and grows to whole
// batches where they take no time. A job claimed ahead may be overtaken, and so none is
// where there is one slot.
type queueSlots struct {
	name    string
	slots   int
	busy    int
	waiting []*attempt // claimed and not started
	ahead   int        // how many to have waiting
	asked   int        // for, by claims on their way
	ended   int        // since the last claim was sent
}

func newSlots(queues []Queue) *slots {
	s := &slots{
		byName:  make(map[string]*queueSlots, len(queues)),
		bell:    make(chan struct{}, 1),
		settled: make(chan struct{}, 1),
	}
	for _, q := range queues {
		own := &queueSlots{name: q.Name, slots: q.Slots}
		s.queues, s.byName[q.Name] = append(s.queues, own), own
	}
	return s
}

// admit holds jobs until slots of their queues are free. It returns those for which there
// is no place: all if nothing more is to start, and a suspect if another one is here. work
// is called in a new goroutine for each slot that was free.
func (s *slots) admit(jobs []*attempt, work func(*queueSlots)) (refused []*attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, a := range jobs {
		if s.closed || a.suspect() && s.suspect != nil {
			refused = append(refused, a)
			continue
		}
		if a.suspect() {
			s.suspect = a
		}
		s.held++
		a.admitted = now
		q := a.queue
		q.waiting = slices.Insert(q.waiting, q.place(a), a)
		if q.busy < q.slots {
			q.busy++
			go work(q)
		}
	}
	return refused
}

// place is where a stands among those that wait: behind all of its priority.
func (q *queueSlots) place(a *attempt) int {
	i := len(q.waiting)
	for i > 0 && q.waiting[i-1].job.Priority > a.job.Priority {
		i--
	}
	return i
}

// next queues the end of the last attempt, if any, in the slot of q that the caller
// has, and returns the attempt that waits longest for it. It takes back the slot and
// returns nil if none waits.
func (s *slots) next(q *queueSlots, last *attempt) *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last != nil {
		s.ran(last)
	}
	if len(q.waiting) == 0 {
		q.busy--
		q.waiting = nil
		return nil
	}
	a := q.waiting[0]
	q.waiting[0] = nil // for the garbage collector
	q.waiting = q.waiting[1:]
	s.running = append(s.running, a)
	a.seat = len(s.running)
	return a
}

// end queues the end of an attempt that ran. Its slot stays taken.
func (s *slots) end(a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran(a)
}

// ran queues the end of a to be recorded, unless the job was given back before: then
// nobody asks how it ended.
func (s *slots) ran(a *attempt) {
	if a.seat == 0 {
		return
	}
	last := len(s.running) - 1
	s.running[a.seat-1], s.running[last].seat = s.running[last], a.seat
	s.running[last] = nil // for the garbage collector
	s.running, a.seat = s.running[:last], 0
	a.queue.ended++
	s.put(&a.end)
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

func (s *slots) put(endings ...*ending) {
	for _, e := range endings {
		if s.suspect == e.attempt {
			s.suspect = nil
		}
	}
	s.ended = append(s.ended, endings...)
	s.call()
	s.moved()
}

// setAside keeps endings that could not be recorded until takeAside.
func (s *slots) setAside(e ...*ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside = append(s.aside, e...)
}

// takeAside returns what was set aside.
func (s *slots) takeAside() []*ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.aside
	s.aside = nil
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

// close keeps wish from asking for more, and gives back what waits.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.giveBack(func(*attempt) bool { return true }, returned)
	s.moved()
}

// giveBack ends those that wait and match, before they have begun.
func (s *slots) giveBack(match func(*attempt) bool, f fate) {
	var back []*ending
	for _, q := range s.queues {
		q.waiting = slices.DeleteFunc(q.waiting, func(a *attempt) bool {
			gone := match(a)
			if gone {
				back = append(back, &ending{attempt: a, fate: f})
			}
			return gone
		})
	}
	if len(back) > 0 {
		s.put(back...)
	}
}

// giveBackLate gives back those that have waited for too long: more was claimed than
// the queue's slots get done.
func (s *slots) giveBackLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, q := range s.queues {
		if len(q.waiting) > 0 && now.Sub(q.waiting[0].admitted) > holdLimit {
			q.ahead = 0
		}
	}
	s.giveBack(func(a *attempt) bool { return now.Sub(a.admitted) > holdLimit }, returned)
}

// waits reports whether any attempt waits for a slot.
func (s *slots) waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.queues, func(q *queueSlots) bool { return len(q.waiting) > 0 })
}

// cancel ends the contexts of the attempts that match, with a cause. Those that wait
// for a slot end with a fate instead.
func (s *slots) cancel(match func(*attempt) bool, cause error, f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.running {
		if match(a) {
			a.ctx.end(cause)
		}
	}
	s.giveBack(match, f)
}

// count returns how many attempts run, how many jobs are held, and whether a batch
// is on its way, which may bring more.
func (s *slots) count() (running, held int, flying bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running), s.held, s.flying > 0
}

// abandon ends all that runs as returned, whatever its handlers will say.
func (s *slots) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.running {
		a.seat = 0
		s.put(&ending{attempt: a, fate: returned})
	}
	s.running = nil
}

// wait returns true when no attempt runs or, if all, no job is held and no batch on
// its way; and false when d has passed or now is closed before that. It is for one
// caller, after close.
func (s *slots) wait(d time.Duration, now <-chan struct{}, all bool) bool {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		running, held, flying := s.count()
		if running == 0 && (!all || held == 0 && !flying) {
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
