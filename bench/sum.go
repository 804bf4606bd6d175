// Here: what the runs come to.

package main

import (
	"math"
	"slices"
	"strconv"
)

// A Sum is what the runs of a system and a workload come to.
type Sum struct {
	System   string  `json:"system"`
	Workload string  `json:"workload"`
	Runs     int     `json:"runs"`
	Jobs     int     `json:"jobs"`            // of a run, the median
	Speed    float64 `json:"jobs_per_second"` // the median
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	WAL      float64 `json:"wal_bytes_per_job,omitempty"` // the median
	// Ratio is rowlock's median by this one, and 0 if rowlock was not measured.
	Ratio float64 `json:"rowlock_ratio,omitempty"`
}

// sumUp returns a Sum for each workload and system, in the order of keys.
func sumUp(runs []Run) (sums []Sum) {
	for _, workload := range []string{insert, drain, steady} {
		ours := 0.0
		for _, key := range keys {
			s, ok := sumOf(runs, key, workload)
			if !ok {
				continue
			}
			if key == "rowlock" {
				ours = s.Speed
			}
			s.Ratio = ratio(ours, s.Speed)
			sums = append(sums, s)
		}
	}
	return sums
}

func sumOf(runs []Run, key, workload string) (Sum, bool) {
	var speeds, wals, jobs []float64
	for _, r := range runs {
		if r.System == key && r.Workload == workload {
			speeds, wals = append(speeds, r.Speed), append(wals, r.WAL)
			jobs = append(jobs, float64(r.Jobs))
		}
	}
	if len(speeds) == 0 {
		return Sum{}, false
	}
	return Sum{
		System: key, Workload: workload, Runs: len(speeds), Jobs: int(median(jobs)),
		Speed: median(speeds), Min: slices.Min(speeds), Max: slices.Max(speeds),
		WAL: median(wals),
	}, true
}

// ratio returns how many times faster ours is, or 0 if that cannot be said.
func ratio(ours, theirs float64) float64 {
	if ours == 0 || theirs == 0 {
		return 0
	}
	return rounded(ours/theirs, 2)
}

// median returns the value in the middle, or between the two that are.
func median(all []float64) float64 {
	n := len(all)
	if n == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return (all[(n-1)/2] + all[n/2]) / 2
}

// rounded is x with so many digits behind the point.
func rounded(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}

// thousands prints a whole number with commas.
func thousands(x float64) string {
	s := strconv.FormatInt(int64(math.Round(x)), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
