// Here: when a batch is sent, what it records and how much it claims.

package queue

import (
	"slices"
	"time"
)

const (
	// What ends while aheadFactor claims are on their way is claimed ahead, up to
	// aheadLimit: enough for both loops to be on their way with whole batches. It is not
	// more than ends in half of holdLimit, else a server that slows down would be given
	// back what it was just asked for, and slow down further.
	aheadFactor = 16
	aheadLimit  = 3 * batchLimit

	// lingerLimit is how long an ending may wait for others. With four slots of 1 ms
	// jobs, this and aheadFactor brought the server's work for a job from 240 µs to 60.
	lingerLimit = 10 * time.Millisecond
)

// gather returns what the next batch has to do: at most limit endings to record and,
// if it may claim, a claim. While another batch is on its way it returns nothing,
// unless there is enough for a whole one: so batches grow with the load. The caller
// calls landed once it holds what came of the batch.
func (s *slots) gather(limit int, claim bool) ([]*ending, *wish) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flying > 0 && !s.enough(limit) {
		s.missed = true
		return nil, nil
	}
	n := min(limit, len(s.ended))
	endings := s.ended[:n:n]
	if s.ended = s.ended[n:]; len(s.ended) == 0 {
		s.ended = nil // for the garbage collector
	}
	var w *wish
	if claim && !s.closed && len(s.ended) < limit { // else the database lags
		w = s.wish(limit)
	}
	if n > 0 || w != nil {
		s.flying++
	}
	if s.enough(limit) {
		ring(s.bell)
	}
	return endings, w
}

// call rings for a loop to record what has ended. While its slots have something to do
// for a while yet, that lingers, for more to end: fewer and larger batches leave more
// of the processors to others. While a batch is on its way nothing rings, since landed
// will.
func (s *slots) call() {
	switch {
	case len(s.ended) >= batchLimit || s.flying == 0 && s.hungry():
		ring(s.bell)
	case s.flying == 0 && !s.lingers:
		s.lingers = true
		time.AfterFunc(lingerLimit, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.lingers = false
			ring(s.bell)
		})
	}
}

// hungry says whether a slot in which something has ended stands still, or soon will.
func (s *slots) hungry() bool {
	return slices.ContainsFunc(s.queues, func(q *queueSlots) bool {
		return q.ended > 0 && q.hungry()
	})
}

// hungry says whether a slot of q stands still, or soon will.
func (q *queueSlots) hungry() bool { return q.busy < q.slots || len(q.waiting) <= q.ahead/2 }

// enough says whether there is something to do for a whole batch.
func (s *slots) enough(limit int) bool {
	if len(s.ended) >= limit {
		return true
	}
	if s.closed || !s.backlog {
		return false
	}
	room := 0
	for _, q := range s.queues {
		room += q.room()
	}
	return room >= limit
}

// room is how many jobs to claim.
func (q *queueSlots) room() int {
	return q.slots - q.busy + q.ahead - q.asked - len(q.waiting)
}

// wish returns a claim for what there is room for, at most limit jobs of each queue,
// or nil if there is room for none.
func (s *slots) wish(limit int) *wish {
	w := &wish{suspect: s.suspect == nil, token: newToken(), began: time.Now()}
	flights := float64(min(aheadFactor*s.flight, holdLimit/2)) / float64(w.began.Sub(s.wished))
	s.wished = w.began
	for _, q := range s.queues {
		if q.slots > 1 { // one slot works its queue in order
			meanwhile := int(float64(q.ended) * flights)
			q.ahead = min(aheadLimit, (q.ahead*7+meanwhile)/8)
		}
		q.ended = 0
		if room := min(q.room(), limit); room > 0 {
			w.queues, w.free = append(w.queues, q.name), append(w.free, int32(room))
			q.asked += room
		}
	}
	if w.queues == nil {
		return nil
	}
	return w
}

// landed notes that what a batch brought is held, and that there may be more to claim.
func (s *slots) landed(w *wish, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
	if w != nil {
		s.flight, s.backlog = time.Since(w.began), more
		for i, name := range w.queues {
			s.byName[name].asked -= int(w.free[i])
		}
	}
	if s.missed || more && slices.ContainsFunc(s.queues, (*queueSlots).hungry) {
		ring(s.bell)
	} else if len(s.ended) > 0 {
		s.call()
	}
	s.missed = false
	s.moved()
}
