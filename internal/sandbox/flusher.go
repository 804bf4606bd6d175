package sandbox

import (
	"os"
	"sync"
)

// A flusher makes durable what was written to a file, or the names in a folder.
// Callers that come while a flush is under way share the one after it, so that
// many writers cost few flushes.
type flusher struct {
	file *os.File

	flushing sync.Mutex // held during a flush
	mu       sync.Mutex
	next     *flush // the flush that has not begun yet
}

type flush struct {
	once sync.Once
	err  error
}

// flush returns when all that was written before the call is durable.
func (f *flusher) flush() error {
	f.mu.Lock()
	if f.next == nil {
		f.next = new(flush)
	}
	mine := f.next
	f.mu.Unlock()

	mine.once.Do(func() {
		f.flushing.Lock()
		defer f.flushing.Unlock()

		f.mu.Lock()
		f.next = nil // whoever writes from here on needs a flush of its own
		f.mu.Unlock()
		mine.err = f.file.Sync()
	})
	return mine.err
}
