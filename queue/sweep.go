// Here: where claims begin. This process remembers how far it has come in each lane,
// so that a claim need not walk over what was claimed before: while some transaction
// keeps vacuum from removing them, those entries are many. What appears behind that
// point, since its transaction committed late or a worker died or gave it back, is
// found by a sweep: a claim that begins where the lane does.

package queue

import (
	"cmp"
	"sync"
	"time"
)

const (
	// priorities is how many lanes a queue has.
	priorities = 4

	// cursorLag keeps cursors behind the present, where inserts commit out of order.
	cursorLag = 100 * time.Millisecond

	// A sweep is followed by a pause of so many times what it took, up to longestPause:
	// all processes together may take a twentieth of a core for it.
	sweepShare    = 20
	shortestPause = 10 * time.Millisecond
)

// A position is one in the order of a lane.
type position struct {
	at time.Time
	id int64
}

func (a *attempt) position() position { return position{a.job.RunAt, a.job.ID} }

func (p position) compare(q position) int {
	return cmp.Or(p.at.Compare(q.at), cmp.Compare(p.id, q.id))
}

// A lane is a queue's jobs of one priority.
type lane struct {
	cursor position // claims begin behind it
	swept  position // where a sweep that has not come to its end goes on
}

// lanes are those of a process' queues. Its loops share them.
type lanes struct {
	mu      sync.Mutex
	byQueue map[string]*[priorities]lane
	strays  []int64 // tokens of claims whose reply never came
	sweep   sweep
}

// A sweep may take several claims. While it goes on, every second one is a plain claim,
// so that a late bulk does not hold up what comes in.
type sweep struct {
	flying bool // a claim of it is on its way
	going  bool // the last one did not bring it to its end
	rests  bool // in this claim
	due    time.Time
	spent  time.Duration // so far
}

func newLanes(queues []Queue) *lanes {
	l := &lanes{byQueue: make(map[string]*[priorities]lane, len(queues))}
	for _, q := range queues {
		l.byQueue[q.Name] = &[priorities]lane{}
	}
	return l
}

// of returns the lane of a.
func (l *lanes) of(a *attempt) *lane {
	return &l.byQueue[a.job.Queue][a.job.Priority-1]
}

// soon has the next claim sweep: something is known to be behind the cursors.
func (l *lanes) soon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep.due = time.Time{}
}

// stray has sweeps look for what a claim took whose reply never came.
func (l *lanes) stray(token int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strays = append(l.strays, token)
	l.sweep.due = time.Time{}
}

// begin says in w where to look.
func (l *lanes) begin(w *wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.sweep = l.sweep.begin(w.began)
	w.strays = append([]int64{}, l.strays...)
	for _, queue := range w.queues {
		for i := range priorities {
			from := &l.byQueue[queue][i]
			p := from.cursor
			if w.sweep {
				p = from.swept
			}
			w.at, w.id = append(w.at, p.at), append(w.id, p.id)
		}
	}
}

// begin says whether the next claim is one of s.
func (s *sweep) begin(now time.Time) bool {
	if s.flying || now.Before(s.due) {
		return false
	}
	s.rests = s.going && !s.rests
	s.flying = !s.rests
	return s.flying
}

// end moves the cursors on to where the claimed jobs are, which come in the order of
// their lanes. It says whether there may be more to claim.
func (l *lanes) end(w *wish, jobs []*attempt, processes int64) (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	got, last := make(map[string]int32), make(map[string]*attempt)
	for _, a := range jobs {
		got[a.job.Queue]++
		last[a.job.Queue] = a
	}
	behind := false // whether a sweep stopped short of a cursor
	for i, queue := range w.queues {
		if got[queue] == w.free[i] {
			more = true
			behind = behind || last[queue].position().compare(l.of(last[queue]).cursor) < 0
		}
	}
	for _, a := range jobs {
		lane, at := l.of(a), a.position()
		if w.sweep {
			lane.swept = at
		}
		if lag := a.job.ClaimedAt.Add(-cursorLag); at.at.After(lag) {
			at = position{lag, 0}
		}
		if lane.cursor.compare(at) < 0 {
			lane.cursor = at
		}
	}
	if w.sweep {
		l.sweep.end(w.began, behind, processes)
		if !behind {
			l.rewind()
		}
	}
	return more
}

// end notes that a claim of s, which began then, is over, and whether s goes on.
func (s *sweep) end(began time.Time, goes bool, processes int64) {
	s.flying, s.going = false, goes
	s.spent += time.Since(began)
	if goes {
		return
	}
	pause := min(max(sweepShare*s.spent, shortestPause), longestPause)
	s.due, s.spent = time.Now().Add(pause*time.Duration(max(processes, 1))), 0
}

// rewind has the next sweep begin where the lanes do.
func (l *lanes) rewind() {
	for _, four := range l.byQueue {
		for i := range four {
			four[i].swept = position{}
		}
	}
}

// failed notes that nobody knows what came of w.
func (l *lanes) failed(w *wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.sweep {
		l.sweep = sweep{}
		l.rewind()
	}
}
