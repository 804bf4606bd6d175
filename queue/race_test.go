//go:build race

package queue_test

// raceDetector is whether the race detector is on, which allocates as it likes.
const raceDetector = true
