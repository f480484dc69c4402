package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/evidence"
)

// flow writes a flow for the rule's findings; each of its steps is a line.
func flow(name string, steps ...string) string {
	text := "  - name: " + name + "\n    rule: " + trouble + "\n    sequential:\n"
	for _, step := range steps {
		text += "      - " + step + "\n"
	}
	return text
}

// tell is a step that posts that it is done.
func tell(step string) string {
	return fmt.Sprintf(`SendSlack: {message: "event {{ message }} step %s"}`, step)
}

// flowsOf writes flows.yml.
func flowsOf(flows ...string) string {
	return "actions: {SendSlack: {webhookURL: \"env:SINK\"}}\nflows:\n" + strings.Join(flows, "")
}

// both is two flows, seven steps in all that post, of which two stand side by side
// and one comes after a wait.
var both = flowsOf(
	flow("a", tell("one"), "parallel: [{"+tell("two")+"}, {"+tell("three")+"}]", "wait: 1s", tell("four")),
	flow("b", tell("five"), tell("six"), tell("seven")),
)

var bothTell = []string{"one", "two", "three", "four", "five", "six", "seven"}

// want fails the test unless all was done, and once where keys are honoured; deaf:
// and once where they are not.
func (n tally) want(t *testing.T, deaf bool) {
	t.Helper()
	if len(n.lost) > 0 {
		t.Errorf("%d steps were never done: %.300v", len(n.lost), n.lost)
	}
	if n.doubled > 0 {
		t.Errorf("%d steps were done more than once, under several keys", n.doubled)
	}
	if deaf && n.deaf > 0 {
		t.Errorf("%d steps were asked for more than once", n.deaf)
	}
}

// doubles says what was doubled, for the row.
func (n tally) doubles() string {
	return fmt.Sprintf("%d where the key is honoured, %d where it is ignored", n.doubled, n.deaf)
}

// TestFaultDuplicates: a finding that is delivered a hundred times, to four
// instances at once, makes one run of each flow, and each step of it is done once.
func TestFaultDuplicates(t *testing.T) {
	t.Parallel()
	c := newCloud(t, 8)
	c.times = 100
	events := names("d", 12)
	c.found(events...)
	c.serve(c.drained, c.starts(4, both)...)

	c.succeeded(2 * len(events))
	c.attemptedOnce(slices.Concat(idsOf("a", events...), idsOf("b", events...))...)
	n := c.sink.count(events, bothTell)
	n.want(t, true)
	evidence.Report(t, "AWS: delivered a hundred times", evidence.Figures{
		Load:   fmt.Sprintf("%d findings, %d runs, %d steps", len(events), 2*len(events), len(events)*len(bothTell)),
		Faults: fmt.Sprintf("%d deliveries, each message 100 times", c.deliveries.Load()),
		Lost:   len(n.lost), Doubled: n.doubles(),
	})
}

// poison is what cannot be handled: messages with the cause that their letters bear.
var poison = map[string]string{
	`not JSON`:                    "findings message: invalid character",
	`42`:                          "findings message: json: cannot unmarshal number",
	`null`:                        "findings message has no version",
	`{"v":1}`:                     "neither a finding nor a wake, or both",
	`{"v":1,"wake":"of no run"}`:  "not found",
	`{"v":1,"finding":{"rule":1}`: "findings message: unexpected end of JSON input",
	`{"v":1,"finding":{"rule":"Trouble","key":"p","severity":"HIGH","event":[]}}`:                                "finding of rule Trouble",
	`{"v":1,"finding":{"rule":"Trouble","severity":"HIGH","event":{}}}`:                                          "finding without rule, key or event",
	`{"v":1,"finding":{"rule":"Trouble","key":"p","severity":"HUGE","event":{}}}`:                                "findings message: ",
	`{"v":1,"wake":"both","finding":{"rule":"Trouble","key":"p","severity":"HIGH","event":{"detail":{}}}}`:       "neither a finding nor a wake, or both",
	`{"v":2,"finding":{"rule":"Trouble","key":"p","severity":"HIGH","event":{"id":"p"}},"news":"of a new word"}`: "received 2 times without being handled",
}

// TestFaultPoison: in batches in which some messages cannot be handled, these
// become dead letters with their cause, and all others are done; nothing comes
// again for ever.
func TestFaultPoison(t *testing.T) {
	t.Parallel()
	const rounds = 10
	c := newCloud(t, 2)
	events := names("p", 10*rounds)
	received := map[string]int{} // by body of a poison
	var mu sync.Mutex
	c.delivers = func(d responder.Delivery) bool {
		mu.Lock()
		defer mu.Unlock()
		if _, bad := poison[string(d.Body)]; bad {
			received[string(d.Body)]++
		}
		return true
	}
	for some := range slices.Chunk(events, 10) {
		c.found(some...)
		for body := range poison {
			if err := c.findings().Send(t.Context(), responder.Message{Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.serve(c.drained, c.starts(2, both)...)

	c.succeeded(2 * len(events))
	n := c.sink.count(events, bothTell)
	n.want(t, true)
	letters, err := c.dead(c.config.HTTPClient).List(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]int{}
	for _, letter := range letters {
		body := string(letter.Body)
		left[body]++
		cause, ours := poison[body]
		if !ours || letter.Queue != "findings" || !strings.Contains(letter.Cause, cause) {
			t.Errorf("of %s there is a letter of queue %s with the cause %q, want %q", body, letter.Queue, letter.Cause, cause)
		}
	}
	deliveries := 0
	for body := range poison {
		deliveries += received[body]
		least, most := rounds, rounds
		if strings.Contains(body, `"v":2`) {
			least, most = 2*rounds, 2*rounds // a newer instance could have taken it
		}
		if left[body] != rounds || received[body] < least || received[body] > most {
			t.Errorf("%s was received %d times and left %d letters, want %d to %d and %d", body, received[body], left[body], least, most, rounds)
		}
	}
	evidence.Report(t, "AWS: poison in a batch", evidence.Figures{
		Load:   fmt.Sprintf("%d findings, %d runs, %d steps", len(events), 2*len(events), len(events)*len(bothTell)),
		Faults: fmt.Sprintf("%d messages of %d kinds that cannot be handled; %d letters, after %d deliveries", rounds*len(poison), len(poison), len(letters), deliveries),
		Lost:   len(n.lost) + rounds*len(poison) - len(letters), Doubled: n.doubles(),
	})
}

// cooling is a flow that lets one of ten findings through: the last digit of their
// names is what they do not have in common.
var cooling = "  - name: c\n    rule: " + trouble + "\n    cooldown: {for: 1h, by: [\"{{ message[:len(message) - 1] }}\"]}\n    sequential: [" + tell("eight") + "]\n"

// TestFaultLostReplies: a conditional write that happened and whose reply was lost is
// made again by the SDK, meets itself, and counts as done: the run goes on as if
// nothing had been. A cooldown counts each finding once, too.
func TestFaultLostReplies(t *testing.T) {
	t.Parallel()
	c := newCloud(t, 8)
	events := names("l1", 100) // l10 … l199
	events = slices.DeleteFunc(events, func(name string) bool { return len(name) < 4 })
	instances := c.starts(2, both+cooling)
	var writes, lost, twice atomic.Int64
	var mu sync.Mutex
	versions := map[int]bool{}
	lose := func(r request) fault {
		if r.operation != "PutItem" && r.operation != "UpdateItem" {
			return nil
		}
		if r.attempt == 1 && writes.Add(1)%2 == 0 || r.attempt == 2 && twice.Add(1)%4 == 0 {
			lost.Add(1)
			if _, version, ok := r.written(); ok {
				mu.Lock()
				versions[version] = true
				mu.Unlock()
			}
			return replyLost
		}
		return nil
	}
	for _, in := range instances {
		in.wire.set(lose)
	}
	c.found(events...)
	c.serve(c.drained, instances...)

	c.attemptedOnce(slices.Concat(idsOf("a", events...), idsOf("b", events...))...)
	n := c.sink.count(events, bothTell)
	n.want(t, true)
	states := map[responder.RunState]int{}
	for _, run := range c.list() {
		states[run.State]++
	}
	through := len(events) / 10
	if states[responder.RunSucceeded] != 2*len(events)+through || states[responder.RunSuppressed] != len(events)-through {
		t.Errorf("the runs are %v, want %d succeeded and %d suppressed", states, 2*len(events)+through, len(events)-through)
	}
	var refused int64
	for _, in := range instances {
		refused += in.wire.refused.Load()
	}
	if lost.Load() < int64(len(events)) || refused < lost.Load()/2 {
		t.Errorf("only %d replies were lost, and %d writes refused", lost.Load(), refused)
	}
	evidence.Report(t, "AWS: lost reply of a conditional write", evidence.Figures{
		Load:   fmt.Sprintf("%d findings, %d runs, %d conditional writes", len(events), 3*len(events), writes.Load()),
		Faults: fmt.Sprintf("%d replies lost, at versions 1 to %d of runs and at counters", lost.Load(), len(versions)),
		Lost:   len(n.lost), Doubled: n.doubles(),
	})
}

// TestFaultStaleWorker: a worker that sleeps at any point of a run until long after its
// lease is over finds its writes refused when it wakes: another has done the work,
// and what that has written stays.
func TestFaultStaleWorker(t *testing.T) {
	// Not beside others: a worker gives up a write after ten seconds, so it may not
	// sleep longer in one.
	const at = 8 // runs of an invocation that sleep together: as many as go on side by side
	c := newCloud(t, 8)
	// Writes: 1 stores the run, one marked, 2 notes one and marks two, 3 notes two and ends.
	flows := flowsOf(flow("a", tell("one"), tell("two")))
	write := func(version int, where func(*gate) fault) func(*gate, *instance) {
		return func(g *gate, in *instance) {
			in.wire.set(func(r request) fault {
				if _, v, ok := r.written(); ok && v == version && r.attempt == 1 {
					return where(g)
				}
				return nil
			})
		}
	}
	before, after := func(g *gate) fault { return g.before }, func(g *gate) fault { return g.after }
	points := []struct {
		name    string
		sleep   func(*gate, *instance)
		refused int // writes of the sleeper, when it wakes
		doubled int // steps of a run that both ask for
	}{
		{"before it stores the run", write(1, before), at, 0},
		{"when it has stored the run", write(1, after), at, 1},
		{"while a step is under way", func(g *gate, _ *instance) {
			var first sync.Map
			c.sink.meeting(func(what string) {
				if _, again := first.LoadOrStore(what, true); !again && strings.HasSuffix(what, " one") {
					g.pass(nil)
				}
			})
		}, at, 1},
		{"before it notes a step", write(2, before), at, 1},
		{"when it has noted a step", write(2, after), at, 1},
		{"before it ends the run", write(3, before), at, 1},
		{"when it has ended the run", write(3, after), 0, 0},
	}
	var events []string
	doubled, refused, late := 0, 0, 0
	for i, p := range points {
		some := names(fmt.Sprintf("s%d-", i), at)
		ids := idsOf("a", some...)
		events = append(events, some...)
		sleeper, other, g := c.start(flows, nil), c.start(flows, nil), newGate()
		p.sleep(g, sleeper)
		batch, wakes := make([]responder.Delivery, at), make([]responder.Delivery, at)
		for j, name := range some {
			finding := findingOf(name)
			batch[j] = delivery(t, name, responder.Bell{Finding: &finding})
			wakes[j] = delivery(t, "wake of "+name, responder.Bell{Wake: ids[j]})
		}
		var again map[string]bool // given up
		answered := make(chan error, 1)
		go func() {
			var err error
			again, err = sleeper.handle(batch)
			answered <- err
		}()
		for range at {
			select {
			case <-g.came:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: not all have come that far", p.name)
			}
		}
		heard := wakes
		if i == 0 { // there is no run yet: its finding comes again
			heard = batch
		}
		for range 2 { // finds an attempt lost; makes it again after a pause
			c.advance(time.Hour)
			if again, err := other.handle(heard); err != nil || len(again) > 0 {
				t.Fatalf("%s: the other's batch: %v, %v", p.name, again, err)
			}
		}
		stood := map[string]*responder.Run{}
		for _, id := range ids {
			stood[id] = c.run(id)
		}
		close(g.open)
		if err := <-answered; err != nil {
			t.Errorf("%s: the sleeper's batch: %v", p.name, err)
		}
		c.sink.meeting(nil)
		woke := int(sleeper.wire.refused.Load())
		if woke+len(again) != p.refused {
			t.Errorf("%s: %d writes of the sleeper were refused and %d given up, want %d", p.name, woke, len(again), p.refused)
		}
		for _, id := range ids {
			if run := c.run(id); run.Version != stood[id].Version || run.Token != stood[id].Token {
				t.Errorf("%s: run %s was at version %d when the sleeper woke, and is at %d by %s", p.name, id, stood[id].Version, run.Version, run.Token)
			}
		}
		n := c.sink.count(some, []string{"one", "two"})
		n.want(t, false)
		if n.deaf > p.doubled*at {
			t.Errorf("%s: %d steps were asked for twice, want %d at most", p.name, n.deaf, p.doubled*at)
		}
		doubled, refused, late = doubled+n.deaf, refused+woke, late+len(again)
	}
	c.succeeded(len(events))
	evidence.Report(t, "AWS: stale worker", evidence.Figures{
		Load:    fmt.Sprintf("%d runs, %d steps", len(events), 2*len(events)),
		Faults:  fmt.Sprintf("%d workers asleep until an hour after their lease, at %d points; %d writes refused, %d given up", len(events), len(points), refused, late),
		Doubled: tally{deaf: doubled}.doubles(),
	})
}

// delivery is what Lambda hands over of a bell.
func delivery(t *testing.T, id string, bell responder.Bell) responder.Delivery {
	t.Helper()
	body, err := bell.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return responder.Delivery{ID: id, Receipt: id, Body: body, Receives: 1}
}

// outage is a store that is not there for an instance.
func outage(r request) fault {
	switch r.operation {
	case "PutItem", "GetItem", "UpdateItem", "Query":
		return notSent
	}
	return nil
}

// TestFaultRedrive: a thousand messages of runs, half of which have come half-way,
// become dead letters in an outage of the store; put back, all is done, and
// nothing that was done is done again.
func TestFaultRedrive(t *testing.T) {
	t.Parallel()
	const half = 500
	c := newCloud(t, 1)
	instances := c.starts(2, flowsOf(flow("a", tell("one"), "wait: 1h", tell("two"))))
	begun, fresh := names("b", half), names("n", half)
	events := slices.Concat(begun, fresh)
	steps := []string{"one", "two"}

	c.found(begun...)
	c.serve(c.drained, instances...)
	c.advance(time.Hour)
	if rung, err := instances[0].sweep(); err != nil || rung != half {
		t.Fatalf("the sweep rings for %d, %v", rung, err)
	}
	for _, in := range instances {
		in.wire.set(outage)
	}
	c.found(fresh...)
	c.serve(func() string {
		if n := c.on(c.deadURL); n < 2*half {
			return fmt.Sprintf("%d letters are dead", n)
		}
		return ""
	}, instances...)
	if n := len(c.list()); n != half {
		t.Fatalf("there are %d runs in the outage, want %d", n, half)
	}

	for _, in := range instances {
		in.wire.set(nil)
	}
	// Those who put them back lose a reply now and then, too.
	var sends, lost atomic.Int64
	flaky := &wire{next: c.config.HTTPClient}
	flaky.set(func(r request) fault {
		if r.operation == "SendMessageBatch" && r.attempt == 1 && sends.Add(1)%10 == 0 {
			lost.Add(1)
			return replyLost
		}
		return nil
	})
	n, err := c.dead(flaky).Redrive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.serve(c.drained, instances...)
	c.advance(time.Hour) // the other half's wait
	if rung, err := instances[0].sweep(); err != nil || rung != half {
		t.Fatalf("the second sweep rings for %d, %v", rung, err)
	}
	c.serve(c.drained, instances...)

	c.succeeded(2 * half)
	c.attemptedOnce(idsOf("a", events[half-100:half+100]...)...)
	done := c.sink.count(events, steps)
	done.want(t, true)
	if left := c.on(c.deadURL); n < 2*half || left > 0 {
		t.Errorf("%d letters were put back, %d are left", n, left)
	}
	evidence.Report(t, "AWS: redrive of half-done work", evidence.Figures{
		Load:   fmt.Sprintf("%d runs, %d of them half-way; %d letters put back", 2*half, half, n),
		Faults: fmt.Sprintf("an outage of the store until all bells were dead letters; %d replies to the redrive lost", lost.Load()),
		Lost:   len(done.lost), Doubled: done.doubles(),
	})
}
