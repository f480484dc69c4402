package simulation

import (
	"hash/fnv"
	"math"
	"time"
)

// dice answer questions by chance. An answer depends on the seed and on the
// question alone, not on what was asked before: leaving one fault out of a
// history does not throw the dice anew for all that follows.
type dice uint64

// roll gives a number in [0, 1).
func (d dice) roll(question string) float64 {
	h := fnv.New64a()
	h.Write([]byte(question)) // never fails
	x := h.Sum64() ^ uint64(d)*0x9e3779b97f4a7c15
	for range 2 { // splitmix64's finish: neighbouring seeds and questions have nothing in common
		x ^= x >> 30
		x *= 0xbf58476d1ce4e5b9
		x ^= x >> 27
		x *= 0x94d049bb133111eb
		x ^= x >> 31
	}
	return float64(x>>11) / (1 << 53)
}

// chance says yes with a probability.
func (d dice) chance(question string, probability float64) bool {
	return d.roll(question) < probability
}

// upTo gives a number from 0 to n-1.
func (d dice) upTo(question string, n int) int { return int(d.roll(question) * float64(n)) }

// span gives a duration between two, each order of magnitude as likely as the
// next. Two questions have the same answer, to the nanosecond, hardly ever.
func (d dice) span(question string, least, most time.Duration) time.Duration {
	return time.Duration(float64(least) * math.Pow(float64(most)/float64(least), d.roll(question)))
}

// one gives one of several.
func one[T any](d dice, question string, of ...T) T { return of[d.upTo(question, len(of))] }
