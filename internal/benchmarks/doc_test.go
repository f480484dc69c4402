// Package benchmarks measures what detecting costs, always against something
// else in the same run: both sides take turns, and medians are compared, so that
// a machine that is slow at times does not tell what is not so.
//
//	make bench
package benchmarks
