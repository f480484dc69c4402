package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// surveyor is a repair that sees what it would touch: its ids, as instances.
type surveyor struct {
	repair
	answer func(n int, call responder.Call) (responder.Survey, error) // nil: its ids
	seen   *int
}

func (s surveyor) Survey(_ context.Context, call responder.Call) (responder.Survey, error) {
	s.world.point()
	s.mu.Lock()
	*s.seen++
	n := *s.seen
	s.mu.Unlock()
	if s.answer != nil {
		return s.answer(n, call)
	}
	return instances(call), nil
}

// instances is what a repair of instances sees.
func instances(call responder.Call) responder.Survey {
	s := responder.Survey{Found: map[string]any{"state": "running"}, Lasting: []string{"what was in memory"}}
	ids, _ := call.Params["ids"].([]any)
	for _, id := range ids {
		s.Targets = append(s.Targets, responder.Target{
			ARN:     fmt.Sprintf("arn:aws:ec2:%s:%s:instance/%v", call.Region, call.Account, id),
			Account: call.Account, Region: call.Region, Tags: map[string]string{"env": "dev"},
		})
	}
	return s
}

// sees has the world's repair look before it acts.
func (w *world) sees(answer func(n int, call responder.Call) (responder.Survey, error)) *int {
	seen := new(int)
	w.catalogue["EC2TerminateInstances"] = surveyor{w.terminate, answer, seen}
	return seen
}

func TestARepairLooksBeforeItActs(t *testing.T) {
	type answer = func(int, responder.Call) (responder.Survey, error)
	fails := func(times int, err error) answer {
		return func(n int, call responder.Call) (responder.Survey, error) {
			if n <= times {
				return responder.Survey{}, err
			}
			return instances(call), nil
		}
	}
	targets := func(many int) answer {
		return func(int, responder.Call) (responder.Survey, error) {
			return responder.Survey{Targets: make([]responder.Target, many)}, nil
		}
	}
	tests := []struct {
		name   string
		answer answer
		seen   int
		done   int
		state  responder.StepStatus
		err    string
	}{
		{"at once", nil, 1, 1, responder.StepSucceeded, ""},
		{"in the end", fails(2, &responder.Transient{Err: errors.New("busy")}), 3, 1, responder.StepSucceeded, ""},
		{"nobody says whether for good", fails(2, errors.New("odd")), 3, 1, responder.StepSucceeded, ""},
		{"as often as a check", fails(9, &responder.Transient{Err: errors.New("busy")}), 3, 0, responder.StepFailed, "nothing was done: it could not be seen what there is: busy"},
		{"denied", fails(9, &responder.Permanent{Err: errors.New("denied")}), 1, 0, responder.StepFailed, "nothing was done: it could not be seen what there is: denied"},
		{"a check's no", fails(9, &responder.Stop{Reason: "no"}), 1, 0, responder.StepFailed, "nothing was done: it could not be seen what there is: no"},
		{"a panic", func(int, responder.Call) (responder.Survey, error) { panic("odd") }, 3, 0, responder.StepFailed, "nothing was done: it could not be seen what there is: the action panicked: odd"},
		{"nothing is there, and it is not done", targets(0), 2, 0, responder.StepFailed, "nothing is there to act on"},
		{"too much is there", targets(10_000), 1, 0, responder.StepFailed, "nothing was done: it could not be seen what there is: it would touch 10000 things; one repair touches at most 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, shortFlow)
			seen := w.sees(tt.answer)
			w.send(w.finding("UnauthorizedInstanceCreated"))
			w.live(w.dispatcher(), time.Minute, time.Second)
			run := w.get("UnauthorizedInstanceCreated")
			step := run.Steps["2"]
			if *seen != tt.seen || w.terminate.count() != tt.done || step.State != tt.state || step.Error != tt.err {
				t.Errorf("looked %d times, did %d times: %s %q\n%s", *seen, w.terminate.count(), step.State, step.Error, outline(run))
			}
			if (step.Survey != nil) != (tt.done > 0 || tt.err == nothingThere) {
				t.Errorf("found %+v", step.Survey)
			}
		})
	}
}

// TestWhatWasFoundIsKeptBeforeItActs: the survey is stored before the first
// attempt, and no other is made after it.
func TestWhatWasFoundIsKeptBeforeItActs(t *testing.T) {
	w := newWorld(t, shortFlow)
	seen := w.sees(nil)
	w.terminate.answer = func(_ context.Context, n int, call responder.Call) (responder.Result, error) {
		id, _, _ := strings.Cut(call.Key, "/")
		run, err := w.runs.Get(context.Background(), id)
		if err != nil {
			t.Error(err)
		} else if s := run.Steps["2"].Survey; s == nil || len(s.Targets) != 2 || s.Targets[0].Tags["env"] != "dev" || s.Found["state"] != "running" {
			t.Errorf("attempt %d, and stored is %+v", n, s)
		}
		if n < 3 {
			return nil, &responder.Transient{Err: errors.New("busy")}
		}
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), time.Minute, time.Second)
	run := w.get("UnauthorizedInstanceCreated")
	if *seen != 1 || w.terminate.count() != 3 || run.State != responder.RunSucceeded {
		t.Errorf("looked %d times\n%s", *seen, outline(run))
	}
}

// TestNothingIsLookedAtWhereRepairsAreDry: a flow that is not armed has no
// permissions for it.
func TestNothingIsLookedAtWhereRepairsAreDry(t *testing.T) {
	for _, repairs := range []string{"off", "dry"} {
		w := newWorld(t, strings.Replace(shortFlow, "repairs: live", "repairs: "+repairs, 1))
		seen := w.sees(nil)
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.live(w.dispatcher(), time.Minute, time.Second)
		if *seen != 0 || w.terminate.count() != 0 {
			t.Errorf("repairs %s: looked %d times", repairs, *seen)
		}
	}
}

// TestRetriedRunLooksAnew: what was found before anything was done is old by then.
func TestRetriedRunLooksAnew(t *testing.T) {
	w := newWorld(t, shortFlow)
	denied := true
	seen := w.sees(func(_ int, call responder.Call) (responder.Survey, error) {
		if denied {
			return responder.Survey{}, &responder.Permanent{Err: errors.New("denied")}
		}
		return instances(call), nil
	})
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.live(d, time.Minute, time.Second)
	denied = false
	run := w.get("UnauthorizedInstanceCreated")
	if _, err := w.control().Retry(context.Background(), run.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	w.live(d, time.Minute, time.Second)
	if run = w.get("UnauthorizedInstanceCreated"); run.State != responder.RunSucceeded || *seen != 2 || run.Steps["2"].Survey == nil {
		t.Errorf("looked %d times\n%s", *seen, outline(run))
	}
}

// TestKilledWhileItLooks: a worker dies at every point of a run whose repair
// looks first; the next looks again where nothing was kept, and the repair is
// done, and looked at before.
func TestKilledWhileItLooks(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld(t, shortFlow)
		seen := w.sees(nil)
		w.killAt = at
		w.send(w.finding("UnauthorizedInstanceCreated"))
		d := w.dispatcher()
		w.live(d, time.Minute, time.Second)
		if !w.isDead() {
			if at < 8 {
				t.Errorf("only %d points", at)
			}
			return
		}
		w.killAt, w.dead = 0, make(chan struct{})
		w.live(w.dispatcher(), 10*time.Minute, 5*time.Second)
		run := w.get("UnauthorizedInstanceCreated")
		if run.State != responder.RunSucceeded || run.Steps["2"].Survey == nil || *seen > 2 || w.terminate.count() > 2 {
			t.Errorf("killed at %d: looked %d times, did %d times\n%s", at, *seen, w.terminate.count(), outline(run))
		}
	}
}

// TestWhereNothingIsThereNothingIsDone: whoever sees nothing could be judged by
// no guard, and yet find something a moment later. So it is looked once more, and
// nothing is done.
func TestWhereNothingIsThereNothingIsDone(t *testing.T) {
	none := func(int, responder.Call) (responder.Survey, error) { return responder.Survey{}, nil }
	late := func(n int, call responder.Call) (responder.Survey, error) {
		if n == 1 {
			return responder.Survey{}, nil
		}
		return instances(call), nil
	}
	tests := []struct {
		name    string
		sees    func(int, responder.Call) (responder.Survey, error)
		verdict responder.Verdict
		state   responder.StepStatus
		done    int
		guard   any
	}{
		{"gone, as it is to be", none, responder.VerdictDone, responder.StepSucceeded, 0, nil},
		{"gone, and needed", none, responder.VerdictNotDone, responder.StepFailed, 0, nil},
		{"gone, and nobody knows", none, responder.VerdictUnknown, responder.StepFailed, 0, nil},
		{"seen late, and protected", late, responder.VerdictDone, responder.StepSkipped, 0, GuardProtected},
	}
	for _, tt := range tests {
		w := fencedWorld(t, "", `protected: ["arn:aws:ec2:*:*:instance/i-1"]`)
		seen := w.sees(tt.sees)
		w.terminate.verify = func(int) (responder.Verdict, error) { return tt.verdict, nil }
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.live(w.dispatcher(), time.Minute, time.Second)
		run := w.get("f")
		step := run.Steps["0"]
		if step.State != tt.state || w.terminate.count() != tt.done || *seen != 2 || step.Result[guardKey] != tt.guard {
			t.Errorf("%s: looked %d times, did %d times, %v\n%s", tt.name, *seen, w.terminate.count(), step.Result, outline(run))
		}
		if tt.state == responder.StepSucceeded && step.Result["why"] != nothingThere {
			t.Errorf("%s: %v", tt.name, step.Result)
		}
	}
}

// TestWhatWasSeenGetsOld: guards judge what is there now, however long ago it was
// looked at first; what puts a repair back is how it stood before the first try.
func TestWhatWasSeenGetsOld(t *testing.T) {
	tests := []struct {
		name    string
		retry   string
		between func(t *testing.T, w *world, halts *memory.Halts)
		first   error // of the first try
		looked  int
		tried   int
	}{
		{"at once", "", nil, nil, 1, 1},
		{"tried again soon", ", retry: {backoff: 10s}", nil, errBusy, 1, 2},
		{"tried again later", ", retry: {backoff: 40m, cap: 40m}", nil, errBusy, 2, 1},
		{"failed, and retried", "", retry, &responder.Permanent{Err: errors.New("denied")}, 2, 1},
		{"halted, and retried", "", func(t *testing.T, w *world, halts *memory.Halts) {
			if _, err := halts.Resume(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			retry(t, w, halts)
		}, nil, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := fencedWorld(t, `scope: {deny: {tags: {responder: hands-off}}}`, "")
			w.load(strings.NewReplacer("EXTRA", "", "GUARDS", `scope: {deny: {tags: {responder: hands-off}}}`, "remediate: {}", "{remediate: {}"+tt.retry+"}").Replace(fenced))
			halts := &memory.Halts{}
			w.config.Halts = halts
			tag := ""
			seen := w.sees(func(n int, call responder.Call) (responder.Survey, error) {
				if tt.tried == 0 && n == 1 {
					if err := halts.Halt(t.Context(), responder.Halt{By: "ann", At: w.clock.Now()}); err != nil {
						t.Error(err)
					}
				}
				s := instances(call)
				s.Found = map[string]any{"look": float64(n)}
				s.Lasting = []string{fmt.Sprint("look ", n)}
				for i := range s.Targets {
					s.Targets[i].Tags = map[string]string{"responder": tag}
				}
				return s, nil
			})
			w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
				if n == 1 {
					return nil, tt.first
				}
				return nil, nil
			}
			w.send(w.finding("UnauthorizedInstanceCreated"))
			d := w.dispatcher()
			w.turn(d)
			if run := w.get("f"); run.Steps["0"].Survey == nil || run.Steps["0"].Survey.At.IsZero() {
				t.Errorf("found %+v", run.Steps["0"].Survey)
			}
			tag = "hands-off"
			if tt.between != nil {
				tt.between(t, w, halts)
			}
			w.live(d, time.Hour, 10*time.Second)
			run := w.get("f")
			step := run.Steps["0"]
			if *seen != tt.looked || w.terminate.count() != tt.tried || (step.Result[guardKey] == GuardScope) != (tt.looked > 1) {
				t.Errorf("looked %d times, tried %d times\n%s", *seen, w.terminate.count(), outline(run))
			}
			want := 1
			if tt.tried == 0 {
				want = 2 // nothing was done before
			}
			if got := step.Survey; got.Found["look"] != float64(want) || got.Lasting[0] != fmt.Sprint("look ", want) || (got.Targets[0].Tags["responder"] != "") != (tt.looked > 1) {
				t.Errorf("kept %+v", got)
			}
		})
	}
}

var errBusy = &responder.Transient{Err: errors.New("busy")}

// retry retries the world's only run.
func retry(t *testing.T, w *world, _ *memory.Halts) {
	t.Helper()
	if _, err := w.control().Retry(t.Context(), w.get("f").ID, "bob"); err != nil {
		t.Fatal(err)
	}
}
