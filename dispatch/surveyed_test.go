package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// TestOtherThingsAtALaterTry: what a repair touches at a later try counts beside what its
// first tries touched, and that its inverse is not known is said.
func TestOtherThingsAtALaterTry(t *testing.T) {
	arn := func(n int) string {
		return fmt.Sprintf("arn:aws:ec2:eu-west-1:123412341234:instance/i-%d", n)
	}
	for limit, tries := range map[int]int{3: 1, 4: 2} {
		w := fencedWorld(t, fmt.Sprintf("limits: {per_run: %d}", limit), "")
		w.sees(func(n int, call responder.Call) (responder.Survey, error) {
			return things(arn(2*n), arn(2*n+1))(n, call)
		})
		w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
			if n == 1 {
				return nil, &responder.Transient{Err: errors.New("busy"), After: 20 * time.Minute}
			}
			return nil, nil
		}
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.live(w.dispatcher(), time.Hour, time.Minute)
		run := w.get("f")
		s := run.Steps["0"]
		if w.terminate.count() != tries || (s.Result[guardKey] == GuardPerRun) != (tries == 1) {
			t.Errorf("per_run: %d: did %d times: %s", limit, w.terminate.count(), outline(run))
		}
		if fmt.Sprint(s.Survey.Touched) != fmt.Sprintf("[%s %s]", arn(2), arn(3)) || !slices.Contains(s.Survey.Lasting, cameLater) {
			t.Errorf("it knows to have touched %v, and %v", s.Survey.Touched, s.Survey.Lasting)
		}
	}
}

// slowHalts answer as the run's time is over.
type slowHalts struct {
	haltStore
	reads, slow int
	advance     func()
}

func (h *slowHalts) Halts(ctx context.Context) ([]responder.Halt, error) {
	if h.reads++; h.reads == h.slow {
		h.advance()
	}
	return h.haltStore.Halts(ctx)
}

// TestTimeOverWhileGuardsAreAsked: nothing is tried once the run's time is over, also
// where that was not so when its guards were asked.
func TestTimeOverWhileGuardsAreAsked(t *testing.T) {
	for slow := 1; slow <= 2; slow++ { // before the look, before the try
		w := fencedWorld(t, "timeout: 10m", "")
		w.config.Halts = &slowHalts{haltStore: &memory.Halts{}, slow: slow, advance: func() { w.clock.Advance(11 * time.Minute) }}
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.turn(w.dispatcher())
		run := w.get("f")
		if w.terminate.count() != 0 || run.State != responder.RunFailed || !strings.Contains(run.Cause, "timeout of 10m") || len(run.Steps["0"].Attempts) != slow-1 {
			t.Errorf("slow at read %d: did %d times: %s", slow, w.terminate.count(), outline(run))
		}
	}
}
