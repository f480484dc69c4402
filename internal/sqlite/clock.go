package sqlite

import (
	"math"
	"time"
)

// nanos is a time as the file keeps it: nanoseconds since 1970. Times beyond
// what fits (the years 1678 to 2262) become the first or last that does.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// fromNanos is the time, in UTC, that nanos kept.
func fromNanos(n int64) time.Time { return time.Unix(0, n).UTC() }
