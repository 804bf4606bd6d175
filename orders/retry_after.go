// Here: the gateway's wish to be left alone for a while.

package orders

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds the wish: an order does not wait longer than a day.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads Retry-After, which is a number of seconds or a date. A date is
// counted from the answer's own Date, so that no clock here has a say; it is
// nothing without one. What is neither, or past, is 0.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text != "" && strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter // digits alone fail only by being too many
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	sent, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(0, until.Sub(sent)), maxRetryAfter)
}
