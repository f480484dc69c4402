package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func TestGuards(t *testing.T) {
	const own = "arn:aws:iam::123412341234:role/responder"
	tests := []struct {
		name    string
		repairs string
		setup   func(w *world, f *responder.Finding)
		did     string
		state   responder.StepStatus
		why     string
	}{
		{"live", "live", nil, "SendSlack one · EC2InstanceAlive · EC2TerminateInstances · SendSlack two", responder.StepSucceeded, ""},
		{"dry", "dry", nil, "SendSlack one · EC2InstanceAlive · SendSlack [DRY RUN] two", responder.StepSucceeded, "repairs are dry in the flow UnauthorizedInstanceCreated"},
		{"off", "off", nil, "SendSlack one · EC2InstanceAlive · SendSlack two", responder.StepSkipped, "repairs are off in the flow UnauthorizedInstanceCreated"},
		{"old event", "live", func(w *world, f *responder.Finding) { f.Event = w.event(25 * time.Hour) },
			"SendSlack one · EC2InstanceAlive · SendSlack [DRY RUN] two", responder.StepSucceeded, "the event was older than 24h0m0s when the run began"},
		{"no time", "live", func(w *world, f *responder.Finding) { f.Event = []byte(`{"id":"x"}`) },
			"SendSlack one · EC2InstanceAlive · SendSlack [DRY RUN] two", responder.StepSucceeded, "the event does not say when it happened"},
		{"own doing", "live", func(w *world, _ *responder.Finding) { w.config.OwnRoles = []string{own} },
			"SendSlack one · EC2InstanceAlive · SendSlack [DRY RUN] two", responder.StepSucceeded, "the event was caused by Responder's own role"},
		{"dry mode", "live", func(w *world, _ *responder.Finding) { w.config.Mode = "" },
			"", responder.StepSucceeded, "everything is dry here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, strings.Replace(shortFlow, "repairs: live", "repairs: "+tt.repairs, 1))
			f := w.finding("UnauthorizedInstanceCreated")
			if tt.setup != nil {
				tt.setup(w, &f)
			}
			w.send(f)
			w.turn(w.dispatcher())
			run := w.get("UnauthorizedInstanceCreated")
			step := run.Steps["2"]
			if got := strings.Join(w.did(), " · "); got != tt.did || run.State != responder.RunSucceeded {
				t.Errorf("did %s\n%s", got, outline(run))
			}
			why, _ := step.Result["why"].(string)
			if step.State != tt.state || why != tt.why || step.Dry != (tt.why != "" && tt.state == responder.StepSucceeded) {
				t.Errorf("repair %+v", step)
			}
			if tt.why != "" && step.Result["would"] != "EC2TerminateInstances" {
				t.Errorf("would %v", step.Result["would"])
			}
		})
	}
}

func TestGuardsAreReadAtTheMomentOfActing(t *testing.T) {
	const flow = `
flows:
  - name: patient
    rule: UnauthorizedInstanceCreated
    enabled: ENABLED
    repairs: REPAIRS
    sequential: [wait: 1h, remediate: {}, SendSlack: {message: MESSAGE}]
`
	write := func(enabled, repairs, message string) string {
		return strings.NewReplacer("ENABLED", enabled, "REPAIRS", repairs, "MESSAGE", message).Replace(flow)
	}
	tests := []struct {
		name, before, after string
		did                 string
		state               responder.RunState
		cause               string
	}{
		{"disarmed meanwhile", write("true", "live", "a"), write("true", "dry", "b"), "SendSlack [DRY RUN] a", responder.RunSucceeded, ""},
		{"armed meanwhile", write("true", "dry", "a"), write("true", "live", "b"), "SendSlack [DRY RUN] a", responder.RunSucceeded, ""},
		{"other steps meanwhile", write("true", "live", "a"), write("true", "live", "b"), "EC2TerminateInstances · SendSlack a", responder.RunSucceeded, ""},
		{"disabled meanwhile", write("true", "live", "a"), write("false", "live", "a"), "", responder.RunParked, "the flow patient is disabled"},
		{"gone meanwhile", write("true", "live", "a"), "flows: []", "", responder.RunParked, "there is no flow patient any more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.before)
			w.send(w.finding("UnauthorizedInstanceCreated"))
			d := w.dispatcher()
			w.turn(d)
			w.load(tt.after)
			w.live(d, 62*time.Minute, 10*time.Second)
			run := w.get("patient")
			if got := strings.Join(w.did(), " · "); got != tt.did || run.State != tt.state || run.Cause != tt.cause {
				t.Errorf("did %s\n%s", got, outline(run))
			}
		})
	}
}

// TestDoubtInADryRun: a live repair of unknown outcome that a dry worker takes
// up is not said to be done, nor dry.
func TestDoubtInADryRun(t *testing.T) {
	w := newWorld(t, shortFlow)
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) { return nil, errors.New("odd") }
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	w.config.Mode = responder.ModeDry
	w.live(w.dispatcher(), time.Minute, time.Second)
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunFailed || run.Steps["2"].Error != "nobody knows whether it was done: a dry run does not look" || w.terminate.looked != 0 {
		t.Error(outline(run))
	}
}

func TestAddressGoneFromFlows(t *testing.T) {
	const flow = `
flows:
  - name: patient
    rule: RootLogin
    sequential: [wait: 1m, SendSlack: {webhookURL: "https://example.com/SECRETWORD"}]
`
	w := newWorld(t, flow)
	w.send(w.finding("RootLogin"))
	d := w.dispatcher()
	w.turn(d)
	w.load(strings.ReplaceAll(flow, "SECRETWORD", "other"))
	w.live(d, 3*time.Minute, 10*time.Second)
	run := w.get("patient")
	if got := run.Steps["1"].Error; run.State != responder.RunSucceeded || got != "the webhookURL that the run began with is not in flows.yml any more" {
		t.Error(outline(run))
	}
	if len(w.did()) != 0 {
		t.Error(w.did())
	}
}

func TestSkipWaits(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.config.SkipWaits = true
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("denied-instance")
	if run.State != responder.RunSucceeded || run.Steps["1"].State != responder.StepSkipped || run.Steps["1"].Result["would"] != "wait 10m0s" {
		t.Error(outline(run))
	}
}

func TestFlowCondition(t *testing.T) {
	flow := func(condition string) string {
		return "flows: [{name: f, rule: RootLogin, if: '" + condition + "', sequential: [SendSlack: {}]}]"
	}
	w := newWorld(t, flow("severity > HIGH"))
	w.send(w.finding("RootLogin"))
	d := w.dispatcher()
	w.turn(d)
	if page, _ := w.runs.List(context.Background(), responder.RunQuery{}); len(page.Runs) != 0 {
		t.Error("a flow that is not for the finding ran")
	}
	w.load(flow("severity"))
	w.send(w.finding("RootLogin"))
	w.turn(d)
	if run := w.get("f"); run.State != responder.RunFailed || !strings.HasPrefix(run.Cause, "the flow's if: ") || len(w.did()) != 0 {
		t.Error(outline(run))
	}
}

func TestBadBells(t *testing.T) {
	w := newWorld(t, shortFlow)
	d := w.dispatcher()
	tests := []struct {
		body string
		dead bool
		is   error
	}{
		{`nonsense`, true, nil},
		{`{"v":1}`, true, nil},
		{`{"v":2,"wake":"x"}`, false, responder.ErrFutureVersion},
		{`{"v":1,"wake":"nobody"}`, true, responder.ErrNotFound},
		{`{"v":1,"finding":{"rule":"UnauthorizedInstanceCreated","key":"k","event":[1]}}`, true, nil},
	}
	var deliveries []responder.Delivery
	for i, tt := range tests {
		deliveries = append(deliveries, responder.Delivery{ID: fmt.Sprint(i), Body: []byte(tt.body)})
	}
	failures := d.Handle(context.Background(), deliveries)
	if len(failures) != len(tests) {
		t.Fatalf("%d failures", len(failures))
	}
	for i, tt := range tests {
		if f := failures[i]; f.ID != fmt.Sprint(i) || f.Dead != tt.dead || f.Err == nil || tt.is != nil && !errors.Is(f.Err, tt.is) {
			t.Errorf("%s: %+v", tt.body, f)
		}
	}
	if got := d.Handle(context.Background(), nil); got == nil {
		t.Error("no failures are nil, which some fronts take for something else")
	}
}
