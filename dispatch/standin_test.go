package dispatch

import (
	"context"
	"errors"
	"testing"

	"github.com/skycrafters/responder"
)

// sharp is an action of any kind that must not be called but for what is allowed.
type sharp struct {
	kind          responder.Kind
	did, surveyed *int
	err           error
}

func (s sharp) Spec() responder.Spec { return responder.Spec{Name: "Sharp", Kind: s.kind} }

func (s sharp) Do(context.Context, responder.Call) (responder.Result, error) {
	*s.did++
	return responder.Result{"real": true}, s.err
}

func (s sharp) Verify(context.Context, responder.Call) (responder.Verdict, error) {
	*s.surveyed++
	return responder.VerdictDone, s.err
}

func (s sharp) Survey(context.Context, responder.Call) (responder.Survey, error) {
	*s.surveyed++
	return responder.Survey{}, s.err
}

// TestStandInActsNever: of whatever kind an action is, those included that nobody
// has thought of yet, only a check is called, and only where the rehearsal looks.
func TestStandInActsNever(t *testing.T) {
	for _, kind := range []responder.Kind{responder.Notice, responder.Check, responder.Repair, "surprise", ""} {
		for _, look := range []bool{false, true} {
			did, surveyed := 0, 0
			var noted calls
			action := standIns(responder.Catalogue{"Sharp": sharp{kind, &did, &surveyed, nil}}, look, &noted)["Sharp"]
			result, err := action.Do(t.Context(), responder.Call{Key: "r/0"})
			asked := kind == responder.Check && look
			if (did == 1) != asked || (result != nil) != asked || err != nil {
				t.Errorf("%q, look %t: done %d times, gave %v, %v", kind, look, did, result, err)
			}
			if _, made := noted.of("r/0"); !made {
				t.Errorf("%q: the call was not noted", kind)
			}
			_, sees := action.(responder.Surveyor)
			_, err = action.(responder.Verifier).Verify(t.Context(), responder.Call{})
			if sees != look || (surveyed == 1) != look || (err == nil) != look {
				t.Errorf("%q, look %t: looks %t, looked %d times, %v", kind, look, sees, surveyed, err)
			}
		}
	}
}

// TestStandInAsksOnce: what could be tried again is not, in a rehearsal.
func TestStandInAsksOnce(t *testing.T) {
	stop, broken := &responder.Stop{Reason: "no"}, errors.New("broken")
	for _, err := range []error{stop, &responder.Transient{Err: broken}, &responder.Unknown{Err: broken}, broken} {
		did, surveyed := 0, 0
		action := standIns(responder.Catalogue{"Sharp": sharp{responder.Check, &did, &surveyed, err}}, true, &calls{})["Sharp"]
		_, got := action.Do(t.Context(), responder.Call{})
		_, seen := action.(responder.Surveyor).Survey(t.Context(), responder.Call{})
		for _, got := range []error{got, seen} {
			var permanent *responder.Permanent
			if err == error(stop) && got != err || err != error(stop) && (!errors.As(got, &permanent) || !errors.Is(got, broken)) {
				t.Errorf("%T became %T %v", err, got, got)
			}
		}
	}
}
