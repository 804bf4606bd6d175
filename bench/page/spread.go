// Here: figures of several runs, and figures in print.

package main

import (
	"math"
	"slices"
	"strconv"
)

// A spread is what several runs come to.
type spread struct{ mid, min, max float64 }

// spreadOf returns that of some runs, or zeros if there are none.
func spreadOf(runs []float64) (s spread) {
	n := len(runs)
	if n == 0 {
		return s
	}
	runs = slices.Sorted(slices.Values(runs))
	return spread{(runs[(n-1)/2] + runs[n/2]) / 2, runs[0], runs[n-1]}
}

// over returns the spread of a figure of several results.
func over[R any](results []R, figure func(R) float64) spread {
	runs := make([]float64, len(results))
	for i, r := range results {
		runs[i] = figure(r)
	}
	return spreadOf(runs)
}

// show prints s: the median, and the least and the most behind it.
func (s spread) show(number func(float64) string) string {
	return number(s.mid) + " (" + number(s.min) + "–" + number(s.max) + ")"
}

func one(x float64) string   { return strconv.FormatFloat(x, 'f', 1, 64) }
func two(x float64) string   { return strconv.FormatFloat(x, 'f', 2, 64) }
func three(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }

// whole prints x without a fraction, with commas.
func whole(x float64) string {
	s := strconv.FormatInt(int64(math.Round(x)), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
