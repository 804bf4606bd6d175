// Here: how long a failed job waits.

package queue

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// backoff asks h how long to wait after the failure err, when count came before
// it. An h that panics or does not know gets the default; the panic is returned.
func backoff(h *handler, count int, err error, job JobRow) (wait time.Duration, panicked error) {
	if h.backoff != nil {
		wait, panicked = askBackoff(h, count, err, job)
	}
	if wait <= 0 {
		wait = defaultBackoff(count)
	}
	return addWait(wait, jitter(count)), panicked
}

func askBackoff(h *handler, count int, err error, job JobRow) (wait time.Duration, panicked error) {
	defer func() {
		if p := recover(); p != nil {
			panicked = fmt.Errorf("queue: Backoff of kind %s panicked: %v", job.Kind, p)
		}
	}()
	return h.backoff(count, err, &job), nil
}

// defaultBackoff is count⁴ + 15 seconds, as far as a Duration goes.
func defaultBackoff(count int) time.Duration {
	const last = 300 // 301⁴ s is more than a Duration holds
	c := time.Duration(min(max(count, 0), last))
	return addWait(c*c*c*c*time.Second, 15*time.Second)
}

// jitter draws whole seconds from [0, 10·(count+1)).
func jitter(count int) time.Duration {
	return time.Duration(rand.IntN(10*(max(count, 0)+1))) * time.Second
}

// addWait adds two waits that are not negative, and stops at a hundred years: the
// time that comes out must be one that the tables take.
func addWait(a, b time.Duration) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	if a > math.MaxInt64-b {
		return century
	}
	return min(a+b, century)
}
