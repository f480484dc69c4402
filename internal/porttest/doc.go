// Package porttest holds one conformance suite for each port of the root
// package. An adapter that passes its suites can stand in for any other:
//
//	func TestQueue(t *testing.T) {
//		porttest.Queue(t, func(t *testing.T) porttest.QueueHarness { … })
//	}
//
// A harness is a fresh, empty adapter and what the suite must know of it. With
// Advance, time is told and every case runs at once, to the nanosecond. Without
// it (a service with a clock of its own) the cases wait in real time, and those
// that would wait for more than a few seconds are skipped, saying so.
//
// The package imports the root and the standard library.
package porttest
