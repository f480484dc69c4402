package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/evidence"
)

// TestFaultResumptions: a run of as many steps as a flow may have, nearly all of them
// waits, is taken up as often, by one instance or another, and does each step
// once; at the limit of resumptions one fails, and says so.
func TestFaultResumptions(t *testing.T) {
	t.Parallel()
	const waits = 998
	c := newCloud(t, 8)
	// An hour is longer than a message can be delayed: only the sweep rings.
	steps := slices.Concat([]string{tell("one")}, slices.Repeat([]string{"wait: 1h"}, waits), []string{tell("two")})
	instances := c.starts(2, flowsOf(flow("a", steps...)))
	events := names("r", 1)
	id := idsOf("a", events...)[0]
	c.found(events...)
	c.serve(c.drained, instances...)

	c.limited(instances[0])
	queue := c.findings()
	for i := range waits {
		c.advance(time.Hour)
		in := instances[i%2]
		batch := c.bell(in, queue)
		if again, err := in.handle(batch); err != nil || len(again) > 0 {
			t.Fatalf("resumption %d: %v, %v", i, again, err)
		}
		if err := queue.Ack(t.Context(), batch...); err != nil && !errors.Is(err, responder.ErrStaleReceipt) {
			t.Fatal(err)
		}
	}
	run := c.run(id)
	if run.State != responder.RunSucceeded || run.Resumed != waits+1 {
		t.Errorf("the run is %s (%s) after it was taken up %d times, want %d", run.State, run.Cause, run.Resumed, waits+1)
	}
	c.attemptedOnce(id)
	n := c.sink.count(events, []string{"one", "two"})
	n.want(t, true)
	evidence.Report(t, "AWS: a thousand resumptions", evidence.Figures{
		Load:   fmt.Sprintf("1 run of %d steps, taken up %d times; 1 at the limit of 10000", len(run.Steps), run.Resumed),
		Faults: fmt.Sprintf("%d waits that only a sweep ends, by two instances in turn", waits),
		Lost:   len(n.lost), Doubled: n.doubles(),
	})
}

// bell sweeps, minute after minute, until a bell is heard: whoever asks a queue may
// not hear its answer, and then the message hides for a while.
func (c *cloud) bell(in *instance, queue responder.Queue) []responder.Delivery {
	c.t.Helper()
	for minute := range 10 {
		if rung, err := in.sweep(); err != nil || minute == 0 && rung != 1 {
			c.t.Fatalf("a sweep rings for %d runs, %v", rung, err)
		}
		for range 3 {
			batch, err := queue.Receive(c.t.Context(), 1, time.Second)
			if err != nil {
				c.t.Fatal(err)
			}
			if len(batch) > 0 {
				return batch
			}
		}
		c.advance(time.Minute)
	}
	c.t.Fatalf("no bell is heard in ten minutes; %d messages are on the queue", c.on(c.queueURL))
	return nil
}

// limited takes up a run that has been taken up ten thousand times.
func (c *cloud) limited(in *instance) {
	c.t.Helper()
	c.found("limit")
	c.serve(c.drained, in)
	run := c.run(idsOf("a", "limit")[0])
	run.Resumed, run.Token = 10_000, "test"
	if err := c.runs().Save(c.t.Context(), run); err != nil {
		c.t.Fatal(err)
	}
	c.advance(time.Hour)
	c.ring(responder.Bell{Wake: run.ID})
	c.serve(c.drained, in)
	if run = c.run(run.ID); run.State != responder.RunFailed || !strings.Contains(run.Cause, "10000") {
		c.t.Errorf("beyond the limit the run is %s: %s", run.State, run.Cause)
	}
}

// TestFaultSwept: a thousand runs whose bells are lost, over and over, some of whose
// workers have died, are all carried on by the sweep.
func TestFaultSwept(t *testing.T) {
	t.Parallel()
	const n, dead = 1000, 100
	c := newCloud(t, 8)
	flows := flowsOf(flow("a", tell("one"), "wait: 1h", tell("two")))
	instances := c.starts(2, flows)
	events := names("w", n)
	// Some workers die when they have done a step: nothing is heard of them again.
	var died atomic.Int64
	dying := c.start(flows, nil)
	dying.wire.set(func(r request) fault {
		_, version, ok := r.written()
		if !ok || version < 2 {
			return nil
		}
		if r.attempt == 1 {
			died.Add(1)
		}
		return notSent
	})
	c.found(events[:dead]...)
	c.serve(func() string {
		if held := died.Load(); held < dead {
			return fmt.Sprintf("%d workers have died", held)
		}
		return ""
	}, dying)
	c.found(events[dead:]...)
	var wakes, lost atomic.Int64
	c.delivers = func(d responder.Delivery) bool {
		if isWake(d.Body) && wakes.Add(1)%3 == 0 {
			lost.Add(1)
			return false
		}
		return true
	}
	rung := 0
	for round := 0; ; round++ {
		c.serve(c.drained, instances...)
		over := 0
		for _, run := range c.list() {
			if run.State.Ended() {
				over++
			}
		}
		if over == n {
			break
		}
		if round == 20 {
			t.Fatalf("after %d sweeps %d runs have ended", round, over)
		}
		c.advance(time.Hour)
		var sweeping sync.WaitGroup
		var rang [2]int
		for i, in := range instances { // two schedules at once
			sweeping.Go(func() {
				var err error
				if rang[i], err = in.sweep(); err != nil {
					t.Error(err)
				}
			})
		}
		sweeping.Wait()
		rung += rang[0] + rang[1]
	}
	c.succeeded(n)
	done := c.sink.count(events, []string{"one", "two"})
	done.want(t, false)
	if done.deaf > dead {
		t.Errorf("%d steps were asked for twice, though only %d workers died", done.deaf, dead)
	}
	evidence.Report(t, "AWS: a thousand runs swept", evidence.Figures{
		Load:   fmt.Sprintf("%d runs, %d steps; %d bells by sweeps", n, 2*n, rung),
		Faults: fmt.Sprintf("%d workers dead in a step, %d bells lost, each sweep made by two at once", dead, lost.Load()),
		Lost:   len(done.lost), Doubled: done.doubles(),
	})
}

// ahead is the table as a Responder sees it that knows one more form of runs than
// this one: what is written in that, it reads.
type ahead struct{ dynamodb.RunsClient }

func (a ahead) GetItem(ctx context.Context, in *awsdynamodb.GetItemInput, options ...func(*awsdynamodb.Options)) (*awsdynamodb.GetItemOutput, error) {
	out, err := a.RunsClient.GetItem(ctx, in, options...)
	if err != nil {
		return out, err
	}
	if payload, ok := out.Item["payload"].(*types.AttributeValueMemberB); ok {
		payload.Value, err = known(payload.Value)
	}
	return out, err
}

// known gives an encoded run in a form that this Responder knows.
func known(payload []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		return nil, err
	}
	plain = bytes.Replace(plain, fmt.Appendf(nil, `{"v":%d,`, responder.RunVersion+1), fmt.Appendf(nil, `{"v":%d,`, responder.RunVersion), 1)
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	if _, err := zw.Write(plain); err != nil {
		return nil, err
	}
	err = zw.Close()
	return buf.Bytes(), err
}

// TestFaultDeploy: in the middle of runs, flows.yml is edited and a newer version
// deployed, instance by instance. Runs keep the steps they began with; one in a
// form that only the newer version reads is parked by the older, shown, and goes
// on when the newer is there; one whose flow is gone is parked, and goes on when
// somebody retries it after it is back.
func TestFaultDeploy(t *testing.T) {
	t.Parallel()
	const n = 80
	c := newCloud(t, 8)
	gone := flow("gone", tell("four"), "wait: 1h", tell("five"))
	edited := flow("a", tell("uno"), "wait: 1h", tell("due"))
	first, second := names("o", n), names("e", n)
	olds := c.starts(2, flowsOf(flow("a", tell("one"), "wait: 1h", tell("two"), tell("three")), gone))
	newer := func(flows ...string) []*instance {
		read := func(p *ports) {
			p.runs = dynamodb.NewRuns(ahead{awsdynamodb.NewFromConfig(c.config)}, c.tables["RUNS_TABLE"], c.Now)
		}
		return []*instance{c.start(flowsOf(flows...), read), c.start(flowsOf(flows...), read)}
	}

	c.found(first...)
	c.serve(c.drained, olds...)
	// The newer version has had some of the runs in its hands already.
	ids := idsOf("a", first...)
	written := ids[:n/4]
	for _, id := range written {
		run := c.run(id)
		run.V, run.Token = responder.RunVersion+1, "newer"
		if err := c.runs().Save(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		c.ring(responder.Bell{Wake: id})
	}
	c.advance(time.Hour)
	c.serve(c.drained, olds...)
	c.parked(written)

	// Both versions take each finding, in any order.
	news := newer(edited)
	c.times = 2
	c.found(second...)
	c.serve(c.drained, olds[0], news[0])
	c.times = 0

	// Only the newer is left.
	for range 3 {
		c.advance(2 * time.Hour)
		if _, err := news[0].sweep(); err != nil {
			t.Fatal(err)
		}
		c.serve(c.drained, news...)
	}
	left := idsOf("gone", slices.Concat(first, second)...)
	c.parked(left)

	// The flow is back, and somebody has its runs retried.
	control := dispatch.Control{Runs: c.runs(), Findings: c.findings(), Now: c.Now}
	for _, id := range left {
		if _, err := control.Retry(t.Context(), id, "tests"); err != nil {
			t.Fatal(err)
		}
	}
	c.serve(c.drained, newer(edited, gone)...)

	c.succeeded(4 * n)
	c.attemptedOnce(ids...)
	done := c.sink.count(first, []string{"one", "two", "three", "four", "five"})
	done.want(t, true)
	kept := map[bool]int{}
	for _, event := range second {
		all := []string{"one", "two", "three", "uno", "due"}
		asked := slices.DeleteFunc(all, func(step string) bool { return len(c.sink.count([]string{event}, []string{step}).lost) > 0 })
		newer := slices.Equal(asked, []string{"uno", "due"})
		if kept[newer]++; !newer && !slices.Equal(asked, []string{"one", "two", "three"}) {
			t.Errorf("the steps done for %s are %v, of two versions", event, asked)
		}
		some := c.sink.count([]string{event}, append(asked, "four", "five"))
		some.want(t, true)
		done.lost, done.doubled, done.deaf = append(done.lost, some.lost...), done.doubled+some.doubled, done.deaf+some.deaf
	}
	for _, event := range first {
		if mixed := c.sink.count([]string{event}, []string{"uno", "due"}); len(mixed.lost) < 2 {
			t.Errorf("%s began before the flow was edited, and has done steps of the edited one", event)
		}
	}
	evidence.Report(t, "AWS: a deploy in mid-flow", evidence.Figures{
		Load: fmt.Sprintf("%d runs, %d of them under way when flows and version changed", 4*n, 2*n),
		Faults: fmt.Sprintf("%d findings taken by both versions (%d began with the edited flow), %d runs in a form that the older does not know, %d whose flow was gone",
			n, kept[true], len(written), len(left)),
		Lost: len(done.lost), Doubled: done.doubles(),
	})
}

// parked wants exactly some runs to be shown as parked.
func (c *cloud) parked(want []string) {
	c.t.Helper()
	var parked []string
	for id, run := range c.list() {
		if run.State == responder.RunParked {
			parked = append(parked, id)
		}
	}
	slices.Sort(parked)
	if !slices.Equal(parked, slices.Sorted(slices.Values(want))) {
		c.t.Errorf("%d runs are shown as parked, want %d others", len(parked), len(want))
	}
}
