package orders_test

import "runtime"

// heap watches how much memory is in use.
type heap struct{ first, most int64 }

// look collects garbage and measures what is left.
func (h *heap) look() {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if h.first == 0 {
		h.first = int64(m.HeapAlloc)
	}
	h.most = max(h.most, int64(m.HeapAlloc))
}

func (h *heap) growth() int64 { return h.most - h.first }
