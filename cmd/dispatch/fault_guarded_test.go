package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/sqs"
)

// invoke is a step that repairs: it invokes a function of one's own.
const invoke = `InvokeLambda: {function: "` + emulator.Function + `", idempotent: true}`

// armed writes flows.yml with one flow whose repairs are live.
func armed(head string, steps ...string) string {
	text := "actions: {SendSlack: {webhookURL: \"env:SINK\"}}\nflows:\n  - name: g\n    rule: " + trouble + "\n    repairs: live\n    " + head + "\n    sequential:\n"
	for _, step := range steps {
		text += "      - " + step + "\n"
	}
	return text
}

// foundNow sends findings of events that have just happened: what is older, or does
// not say when it was, is not repaired.
func (c *cloud) foundNow(names ...string) {
	c.t.Helper()
	bells := make([]responder.Bell, len(names))
	for i, name := range names {
		finding := findingOf(name)
		finding.Event = fmt.Appendf(nil, `{"id":%q,"source":"aws.iam","account":%q,"region":"eu-west-1","time":%q,"detail":{"userIdentity":{"type":"IAMUser","userName":"mallory","arn":"arn:aws:iam::111122223333:user/mallory"}}}`,
			name, emulator.Account, c.Now().UTC().Format(time.RFC3339))
		bells[i].Finding = &finding
	}
	c.ring(bells...)
}

// control is what people can do, over a wire of their own.
func (c *cloud) control(w *wire) dispatch.Control {
	config := c.config.Copy()
	config.HTTPClient = w
	config.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff, o.RateLimiter = time.Millisecond, ratelimit.None })
	}
	return dispatch.Control{
		Runs:     dynamodb.NewRuns(awsdynamodb.NewFromConfig(config), c.tables["RUNS_TABLE"], c.Now),
		Findings: sqs.NewQueue(awssqs.NewFromConfig(config), c.queueURL, rand.Float64), Now: c.Now,
	}
}

// everySecond loses the reply of every other conditional write, and counts them.
func everySecond(writes, lost *atomic.Int64) func(request) fault {
	return func(r request) fault {
		switch r.operation {
		case "PutItem", "UpdateItem", "TransactWriteItems":
			if r.attempt == 1 && writes.Add(1)%2 == 0 {
				lost.Add(1)
				return replyLost
			}
		}
		return nil
	}
}

func (c *cloud) useLambda() *emulator.Lambda {
	function := emulator.NewLambda(c.t)
	for name, value := range function.Env() {
		c.t.Setenv(name, value) // actions make clients of their own
	}
	return function
}

// TestFaultAnswers: people answer what runs ask, at once and against each other, over a
// wire that loses every other reply, and beside workers that are thought dead. The first
// answer that may be given counts; a repair acts by a yes alone, under one key.
func TestFaultAnswers(t *testing.T) {
	// Not beside others: the environment is changed, and a worker gives up a write after ten seconds.
	const at = 8
	c := newCloud(t, 8)
	function := c.useLambda()
	flows := armed("limits: {per_hour: 1000, per_account: 1000, again: 1000}",
		`approve: {text: "Do it for {{ message }}?", by: {iam: ["arn:aws:iam::111122223333:role/Oncall"]}, for: 12h}`, invoke, tell("one"))
	events := names("q", 60)
	events = append(events, names("asleep", at)...)
	instances := c.starts(4, flows)
	var writes, lost atomic.Int64
	for _, in := range instances {
		in.wire.set(everySecond(&writes, &lost))
	}
	c.foundNow(events...)
	c.serve(c.drained, instances...)
	if n := len(function.Invocations()); n > 0 {
		t.Fatalf("%d repairs acted before anybody was asked", n)
	}

	people := &wire{next: c.config.HTTPClient}
	people.set(everySecond(&writes, &lost))
	control := c.control(people)
	who := func(session string) responder.Identity {
		return responder.Identity{Kind: responder.IdentityIAM, ID: "arn:aws:sts::111122223333:assumed-role/Oncall/" + session}
	}
	var refused, answers atomic.Int64
	var mu sync.Mutex
	taken := map[string]map[bool]bool{} // by run: answers that were taken
	answer := func(id string, yes bool, by responder.Identity) {
		run, err := c.runs().Get(t.Context(), id)
		if err != nil {
			t.Error(err)
			return
		}
		answers.Add(1)
		_, err = control.Decide(t.Context(), id, responder.Answer{Step: "0", Digest: run.Steps["0"].Approval.Digest, Yes: yes, Who: by})
		var no *dispatch.Refused
		switch {
		case errors.As(err, &no):
			refused.Add(1)
		case err != nil:
			t.Errorf("answer to %s: %v", id, err)
		default:
			mu.Lock()
			defer mu.Unlock()
			if taken[id] == nil {
				taken[id] = map[bool]bool{}
			}
			if taken[id][yes] = true; taken[id][!yes] {
				t.Errorf("of run %s both answers were taken", id)
			}
		}
	}
	ids := idsOf("g", events...)
	var asking sync.WaitGroup
	for i, id := range ids[:len(ids)-at] {
		asking.Go(func() { answer(id, i%3 > 0, who("olga")) })
		asking.Go(func() { answer(id, i%3 > 0, who("olga")) }) // clicked twice
		if i%4 == 0 {
			asking.Go(func() { answer(id, i%3 == 0, who("dave")) }) // and somebody else, the other way
		}
		asking.Go(func() { answer(id, true, who("mallory")) }) // whose doing it is
		asking.Go(func() {
			answer(id, true, responder.Identity{Kind: responder.IdentityIAM, ID: "arn:aws:iam::111122223333:user/stranger"})
		})
	}
	asking.Wait()

	// Those who are thought dead: they stop on their way to mark the repair, and another
	// does it meanwhile.
	asleep := ids[len(ids)-at:]
	var wakes []responder.Delivery
	for _, id := range asleep {
		answer(id, true, who("olga"))
		wakes = append(wakes, delivery(t, "wake of "+id, responder.Bell{Wake: id}))
	}
	sleeper, g := c.start(flows, nil), newGate()
	sleeper.wire.set(func(r request) fault {
		if id, v, ok := r.written(); ok && slices.Contains(asleep, id) && v == 4 && r.attempt == 1 { // 1 asked, 2 decided, 3 looks, 4 acts
			return g.before
		}
		return nil
	})
	answered := make(chan error, 1)
	go func() {
		_, err := sleeper.handle(wakes)
		answered <- err
	}()
	for range at {
		select {
		case <-g.came:
		case <-time.After(30 * time.Second):
			t.Fatal("not all have come that far")
		}
	}
	c.advance(time.Hour)
	for range 2 {
		if again, err := instances[0].handle(wakes); err != nil || len(again) > 0 {
			t.Fatalf("the other's batch: %v, %v", again, err)
		}
		c.advance(time.Hour)
	}
	close(g.open)
	if err := <-answered; err != nil {
		t.Errorf("the sleeper's batch: %v", err)
	}
	woken := sleeper.wire.refused.Load()
	c.serve(c.drained, instances...)

	yes, doubled, unsaid := 0, 0, 0
	calls := function.Invocations()
	var said []string
	for i, id := range ids {
		run := c.run(id)
		a := run.Steps["0"].Approval
		want := responder.RunStopped
		if a.Granted() {
			want, yes = responder.RunSucceeded, yes+1
			said = append(said, events[i])
		}
		if run.State != want {
			t.Errorf("run %s was %s, and is %s: %s", id, a.Decision, run.State, run.Cause)
		}
		if !taken[id][a.Granted()] {
			t.Errorf("run %s is %s, and nobody was told that this was taken", id, a.Decision)
		}
		if a.Who == nil || a.Who.ID != who("olga").ID && a.Who.ID != who("dave").ID {
			t.Errorf("run %s was decided by %v", id, a.Who)
		}
		keys := map[string]bool{}
		for _, call := range calls[events[i]] {
			keys[call.Key] = true
		}
		switch {
		case a.Granted() && len(keys) != 1, !a.Granted() && len(keys) > 0:
			t.Errorf("run %s was %s, and the function was invoked under the keys %v", id, a.Decision, keys)
			unsaid++
		case len(calls[events[i]]) > 1:
			doubled++
			if slices.Contains(asleep, id) {
				t.Errorf("run %s was repaired %d times: whoever was thought dead repairs nothing when they wake", id, len(calls[events[i]]))
			}
		}
	}
	n := c.sink.count(said, []string{"one"})
	n.want(t, false)
	if refused.Load() < int64(2*(len(ids)-at)) || lost.Load() < int64(len(ids)) || woken < at {
		t.Errorf("%d answers refused, %d replies lost, %d writes of sleepers refused", refused.Load(), lost.Load(), woken)
	}
	evidence.Report(t, "AWS: asked and answered", evidence.Figures{
		Load:   fmt.Sprintf("%d runs, %d answers, %d of them refused, %d repairs done", len(ids), answers.Load(), refused.Load(), yes),
		Faults: fmt.Sprintf("%d replies of %d conditional writes lost; %d workers asleep until an hour after their lease, on their way to a repair", lost.Load(), writes.Load(), at),
		Lost:   len(n.lost) + unsaid, Doubled: fmt.Sprintf("0 where the key is honoured, %d where it is ignored", doubled+n.deaf),
	})
}

// TestFaultLimits: four instances count what they repair together, over a wire that
// loses every other reply: as many things are touched as the flow may touch, to the
// unit, in the hour and in the next.
func TestFaultLimits(t *testing.T) {
	const limit, hours = 25, 2
	c := newCloud(t, 8)
	function := c.useLambda()
	flows := armed(fmt.Sprintf("limits: {per_hour: %d, per_account: 1000, again: 1000}", limit), invoke)
	instances := c.starts(4, flows)
	var writes, lost atomic.Int64
	for _, in := range instances {
		in.wire.set(everySecond(&writes, &lost))
	}
	invoked, held := 0, 0
	for hour := range hours {
		events := names(fmt.Sprintf("h%d-", hour), 100)
		c.foundNow(events...)
		c.serve(c.drained, instances...)
		done := 0
		calls := function.Invocations()
		for i, id := range idsOf("g", events...) {
			state := c.run(id).Steps["0"]
			switch {
			case state.State == responder.StepSucceeded && len(calls[events[i]]) > 0:
				done++
			case state.Result["guard"] == dispatch.GuardPerHour && len(calls[events[i]]) == 0:
				held++
			default:
				t.Errorf("run %s is %s (%v), and was done %d times", id, state.State, state.Result, len(calls[events[i]]))
			}
		}
		if done != limit {
			t.Errorf("in hour %d %d were done, the flow may do %d", hour+1, done, limit)
		}
		invoked += done
		c.advance(time.Hour + time.Minute)
	}
	if lost.Load() < 100 {
		t.Errorf("only %d replies were lost", lost.Load())
	}
	evidence.Report(t, "AWS: limits across workers", evidence.Figures{
		Load:   fmt.Sprintf("%d runs in %d hours, %d repairs done, %d held back, by 4 instances; the flow may do %d an hour", 100*hours, hours, invoked, held, limit),
		Faults: fmt.Sprintf("%d replies of %d conditional writes lost", lost.Load(), writes.Load()), Doubled: "0 beyond the limit",
	})
}
