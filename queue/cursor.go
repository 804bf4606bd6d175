// Here: where claims begin. This process remembers how far it has come in each lane,
// so that a claim need not walk over what was claimed before: while some transaction
// keeps vacuum from removing them, those entries are many. What appears behind that
// point is found by sweeps, and claimed by its id.

package queue

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	// priorities is how many lanes a queue has.
	priorities = 4

	// cursorLag keeps cursors behind the present, where inserts commit out of order.
	cursorLag = 100 * time.Millisecond
)

// A position is one in the order of a lane, which is a queue's jobs of one priority.
type position struct {
	at time.Time
	id int64
}

func (a *attempt) position() position { return position{a.job.RunAt, a.job.ID} }

func (p position) compare(q position) int {
	return cmp.Or(p.at.Compare(q.at), cmp.Compare(p.id, q.id))
}

// lanes are those of a process' queues. Its loops share them.
type lanes struct {
	mu      sync.Mutex
	byQueue map[string]*queueLanes
	strays  []int64 // tokens of claims whose reply never came

	claimed chan struct{} // rings when a claim is over
	hurry   chan struct{} // rings when something is known to be behind the cursors
}

type queueLanes struct {
	cursors [priorities]position // claims begin behind them
	passed  [priorities]position // where they were at the last sweep
	got     int32                // jobs beyond them, by the claim that ends
	deep    bool                 // the last claim left some there
	found   []int64              // jobs behind the cursors, in order
	full    bool                 // there are more of those
}

func newLanes(queues []Queue) *lanes {
	l := &lanes{
		byQueue: make(map[string]*queueLanes, len(queues)),
		claimed: make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),
	}
	for _, q := range queues {
		l.byQueue[q.Name] = &queueLanes{}
	}
	l.soon() // for what dead workers left
	return l
}

// soon has a sweep come at once.
func (l *lanes) soon() { ring(l.hurry) }

// stray has sweeps look for what a claim took whose reply never came.
func (l *lanes) stray(token int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strays = append(l.strays, token)
	l.soon()
}

// put has claims take a job behind the cursors.
func (l *lanes) put(queue string, id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byQueue[queue].found = append(l.byQueue[queue].found, id)
}

// begin says in w where to look and what was found. That is half of what w asks for at
// most, so that a late bulk does not hold up what comes in.
func (l *lanes) begin(w *wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.strays, w.found = append([]int64{}, l.strays...), []int64{}
	for i, queue := range w.queues {
		q := l.byQueue[queue]
		n := min(len(q.found), int(w.free[i]+1)/2)
		w.found = append(w.found, q.found[:n]...)
		w.ahead = append(w.ahead, w.free[i]-int32(n))
		if q.found = q.found[n:]; len(q.found) == 0 && q.full {
			q.full = false
			l.soon()
		}
		for _, p := range q.cursors {
			w.at, w.id = append(w.at, p.at), append(w.id, p.id)
		}
	}
	slices.Sort(w.found)
}

// end moves the cursors on to where the claimed jobs are, but for those that were found.
// It says whether there may be more to claim.
func (l *lanes) end(w *wish, jobs []*attempt) (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var q *queueLanes
	for i, a := range jobs {
		if i == 0 || a.job.Queue != jobs[i-1].job.Queue {
			q = l.byQueue[a.job.Queue]
		}
		if _, ok := slices.BinarySearch(w.found, a.job.ID); ok {
			continue
		}
		q.got++
		at := a.position()
		if lag := a.job.ClaimedAt.Add(-cursorLag); at.at.After(lag) {
			at = position{lag, 0}
		}
		if cursor := &q.cursors[a.job.Priority-1]; cursor.compare(at) < 0 {
			*cursor = at
		}
	}
	for i, queue := range w.queues {
		q := l.byQueue[queue]
		q.deep, q.got = q.got == w.ahead[i], 0
		more = more || q.deep || len(q.found) > 0
	}
	return more
}

// forever is after all that is due.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// view says where a sweep is to look: from the beginnings of the lanes, or in the near
// past, up to where the cursors were at the last one. What claims take that are still on
// their way would look as if it waited, but not until the next sweep.
func (l *lanes) view(whole bool) *view {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &view{strays: append([]int64{}, l.strays...)}
	for name, q := range l.byQueue {
		v.queues = append(v.queues, name)
		for _, p := range q.passed {
			after := time.Time{}
			if !whole && !p.at.IsZero() {
				after = p.at.Add(-nearPast)
			}
			if !q.deep {
				p.at = forever
			}
			v.after, v.at, v.id = append(v.after, after), append(v.at, p.at), append(v.id, p.id)
		}
	}
	return v
}

// A straggler is a job that a sweep came across.
type straggler struct {
	queue    string
	priority int16
	position
	running bool
}

// take notes for claims what a sweep came across, but for what they come to themselves.
func (l *lanes) take(all []straggler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range l.byQueue {
		q.found = nil
	}
	for _, s := range all {
		q := l.byQueue[s.queue]
		if s.running || s.compare(q.passed[s.priority-1]) <= 0 {
			q.found = append(q.found, s.id)
		}
	}
	for _, q := range l.byQueue {
		q.passed = q.cursors
		q.full = len(q.found) >= sweepLimit
	}
}
