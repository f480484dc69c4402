package porttest

import (
	"testing"
	"time"
)

// patience is the most that one case may wait in real time.
const patience = 15 * time.Second

// pass lets d go by: at once where the clock is told, else by waiting, with a
// little more for the skew between two clocks. A wait beyond patience skips
// the case.
func pass(t *testing.T, advance func(time.Duration), d time.Duration) {
	t.Helper()
	if advance != nil {
		advance(d)
		return
	}
	if d > patience {
		t.Skipf("the clock cannot be told here, and this takes %v", d)
	}
	time.Sleep(d + d/4)
}

// told skips a case that only makes sense to the nanosecond.
func told(t *testing.T, advance func(time.Duration)) {
	t.Helper()
	if advance == nil {
		t.Skip("the clock cannot be told here")
	}
}

// eventually repeats a look until it is satisfied or lag is over; a lag of zero
// means that what is written is seen at once.
func eventually(t *testing.T, lag time.Duration, look func() (problem string)) {
	t.Helper()
	deadline := time.Now().Add(lag)
	for {
		problem := look()
		if problem == "" {
			return
		}
		if !time.Now().Before(deadline) {
			t.Fatal(problem)
		}
		time.Sleep(lag / 20)
	}
}
