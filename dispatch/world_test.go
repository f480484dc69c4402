package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// clock is a told clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// deed is one thing that an action did.
type deed struct {
	Action, Key, Text string
	Call              responder.Call
	At                time.Time
}

// fake is an action that notes what it does, and answers as it is told.
type fake struct {
	spec   responder.Spec
	world  *world
	answer func(ctx context.Context, n int, call responder.Call) (responder.Result, error) // n: 1 for the first call; nil: success
	verify func(n int) (responder.Verdict, error)                                          // nil: whether it has been done

	mu            sync.Mutex
	calls, looked int
	done          map[string]bool // targets
}

func (f *fake) Spec() responder.Spec { return f.spec }

func (f *fake) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	f.world.point() // a worker may die before
	f.mu.Lock()
	f.calls++
	n := f.calls
	f.mu.Unlock()
	var result responder.Result
	if f.answer != nil {
		var err error
		if result, err = f.answer(ctx, n, call); err != nil {
			f.world.note(f.spec.Name+"!", call)
			return nil, err
		}
	}
	f.mu.Lock()
	f.done[target(call)] = true
	f.mu.Unlock()
	f.world.note(f.spec.Name, call)
	f.world.point() // and after
	return result, nil
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// target is what a repair is about.
func target(call responder.Call) string { return fmt.Sprint(call.Params["ids"]) }

// repair is a fake that can verify.
type repair struct{ *fake }

func (f repair) Verify(_ context.Context, call responder.Call) (responder.Verdict, error) {
	f.world.point()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked++
	if f.verify != nil {
		return f.verify(f.looked)
	}
	if f.done[target(call)] {
		return responder.VerdictDone, nil
	}
	return responder.VerdictNotDone, nil
}

// world is everything around a Dispatcher.
type world struct {
	t         *testing.T
	clock     *clock
	runs      *memory.Runs
	queue     *memory.Queue
	catalogue responder.Catalogue
	slack     *fake
	email     *fake
	alive     *fake
	terminate repair
	flows     atomic.Pointer[Flows] // as people edit them, at any moment
	config    Config
	lived     time.Duration

	mu     sync.Mutex
	deeds  []deed
	points int           // what a worker has come through: store writes, calls of actions
	killAt int           // the point at which it dies; 0: never
	dead   chan struct{} // closed once it has died
}

func newWorld(t *testing.T, flows string) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), runs: &memory.Runs{}, dead: make(chan struct{})}
	w.queue = memory.NewQueue("findings", w.clock.Now, memory.QueueOptions{})
	text := func(name string) responder.Param { return responder.Param{Name: name, Type: responder.TextParam} }
	ids := responder.Param{Name: "ids", Type: responder.ListParam, Required: true, Doc: "The instances."}
	message := responder.Param{Name: "message", Type: responder.MessageParam}
	hook := responder.Param{Name: "webhookURL", Type: responder.TextParam, Static: true, Secret: true}
	w.slack = w.fake(responder.Spec{Name: "SendSlack", Kind: responder.Notice, Templates: true, Params: []responder.Param{message, hook}, Escape: func(s string) string { return strings.ReplaceAll(s, "<", "&lt;") }})
	w.email = w.fake(responder.Spec{Name: "SendEmail", Kind: responder.Notice, Params: []responder.Param{text("subject"), {Name: "copies", Type: responder.NumberParam}, {Name: "html", Type: responder.BoolParam}}})
	w.alive = w.fake(responder.Spec{Name: "EC2InstanceAlive", Kind: responder.Check, Params: []responder.Param{ids}})
	w.terminate = repair{w.fake(responder.Spec{Name: "EC2TerminateInstances", Kind: responder.Repair, Params: []responder.Param{ids, text("reason")}})}
	w.catalogue = responder.Catalogue{"SendSlack": w.slack, "SendEmail": w.email, "EC2InstanceAlive": w.alive, "EC2TerminateInstances": w.terminate}
	w.load(flows)
	w.config = Config{
		Flows:     w.flows.Load,
		Catalogue: w.catalogue,
		Runs:      mortalRuns{w.runs, w},
		Findings:  mortalSender{w.queue, w},
		Accounts: func() map[string]map[string]any {
			return map[string]map[string]any{"123412341234": {"name": "payments", "env": "prod"}}
		},
		Mode:   responder.ModeLive,
		Now:    w.clock.Now,
		Jitter: func() float64 { return 0.5 },
	}
	return w
}

func (w *world) fake(spec responder.Spec) *fake {
	return &fake{spec: spec, world: w, done: map[string]bool{}}
}

func (w *world) options() LoadOptions {
	return LoadOptions{Catalogue: w.catalogue, Rules: []RuleInfo{
		{Name: "NonCompliantUserCreated", HasCheck: true, HasRemediate: true}, {Name: "UnauthorizedInstanceCreated", HasCheck: true, HasRemediate: true},
		{Name: "SuspiciousLoginHour"}, {Name: "RootLogin"},
	}}
}

func (w *world) load(flows string) {
	w.t.Helper()
	files := fstest.MapFS{"flows.yml": {Data: []byte(flows)}}
	files["templates/SendSlack/aws-event.yml"] = &fstest.MapFile{Data: read(w.t, "testdata/templates/SendSlack/aws-event.yml")}
	set, problems := Load(files, "flows.yml", w.options())
	if err := problems.Err(); err != nil {
		w.t.Fatalf("load:\n%v", err)
	}
	w.flows.Store(set)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (w *world) dispatcher() *Dispatcher {
	w.t.Helper()
	d, err := New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) note(action string, call responder.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var text string
	switch m := call.Params["message"].(type) {
	case string:
		text = m
	case map[string]any:
		text = fmt.Sprint(m["header"])
	}
	if subject, ok := call.Params["subject"].(string); ok {
		text = subject
	}
	w.deeds = append(w.deeds, deed{action, call.Key, call.Prefix + text, call, w.clock.Now()})
}

// did lists what was done, in order: "SendSlack hello".
func (w *world) did() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var texts []string
	for _, d := range w.deeds {
		texts = append(texts, strings.TrimSpace(d.Action+" "+d.Text))
	}
	return texts
}

// errKilled is what a worker that has died sees of the store: nothing works any more.
var errKilled = errors.New("killed")

// point is a place where a worker may die: from then on it does nothing.
func (w *world) point() {
	w.mu.Lock()
	w.points++
	dies := w.killAt > 0 && w.points == w.killAt
	w.mu.Unlock()
	if dies {
		close(w.dead)
	}
	if w.isDead() {
		panic(errKilled)
	}
}

func (w *world) isDead() bool {
	select {
	case <-w.dead:
		return true
	default:
		return false
	}
}

// mortalRuns is a store as seen by a worker that may die before or after a write.
type mortalRuns struct {
	*memory.Runs
	w *world
}

func (r mortalRuns) write(do func() error) error {
	if r.w.dies() {
		return errKilled
	}
	if err := do(); err != nil {
		return err
	}
	if r.w.dies() {
		return errKilled
	}
	return nil
}

func (w *world) dies() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.points++
	if w.killAt > 0 && w.points == w.killAt {
		close(w.dead)
	}
	return w.isDead()
}

func (r mortalRuns) Create(ctx context.Context, run *responder.Run) error {
	return r.write(func() error { return r.Runs.Create(ctx, run) })
}

func (r mortalRuns) Save(ctx context.Context, run *responder.Run) error {
	return r.write(func() error { return r.Runs.Save(ctx, run) })
}

// mortalSender is a queue as seen by a worker that may die.
type mortalSender struct {
	responder.Sender
	w *world
}

func (s mortalSender) Send(ctx context.Context, messages ...responder.Message) error {
	return mortalRuns{w: s.w}.write(func() error { return s.Sender.Send(ctx, messages...) })
}

// event is a RunInstances event, as old as asked.
func (w *world) event(age time.Duration) []byte {
	return fmt.Appendf(nil, `{"id":"e1","source":"aws.ec2","detail-type":"AWS API Call via CloudTrail","account":"123412341234","region":"us-east-1","time":%q,"detail":{`+
		`"eventID":"ev-1","recipientAccountId":"123412341234","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.7",`+
		`"userIdentity":{"type":"IAMUser","userName":"bob","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123412341234:role/responder"}}},"requestParameters":{"userName":"mallory<x>"}}}`,
		w.clock.Now().Add(-age).Format(time.RFC3339))
}

func (w *world) finding(rule string) responder.Finding {
	return responder.Finding{
		Rule: rule, Title: "A title", Severity: responder.High, Message: "A message", Resources: []string{"i-1", "i-2"}, Key: "123412341234/ev-1",
		Check:     &responder.Binding{Action: "EC2InstanceAlive", Params: map[string]any{"ids": []any{"i-1", "i-2"}}},
		Remediate: &responder.Binding{Action: "EC2TerminateInstances", Params: map[string]any{"ids": []any{"i-1", "i-2"}}},
		Event:     w.event(time.Minute),
	}
}

func (w *world) send(f responder.Finding) {
	w.t.Helper()
	body, err := responder.Bell{Finding: &f}.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.queue.Send(context.Background(), responder.Message{Body: body}); err != nil {
		w.t.Fatal(err)
	}
}

// turn receives what there is, handles it, and gives it back or acknowledges it.
func (w *world) turn(d *Dispatcher) (handled int) {
	w.t.Helper()
	ctx := context.Background()
	deliveries, err := w.queue.Receive(ctx, 10, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	failures := d.Handle(ctx, deliveries)
	if w.isDead() {
		return len(deliveries) // nobody is there to acknowledge
	}
	for _, delivery := range deliveries {
		i := slices.IndexFunc(failures, func(f responder.Failure) bool { return f.ID == delivery.ID })
		switch {
		case i < 0:
			err = w.queue.Ack(ctx, delivery)
		case failures[i].Dead:
			err = w.queue.Bury(ctx, delivery, failures[i].Err.Error())
		default:
			err = w.queue.Release(ctx, delivery, time.Second)
		}
		if err != nil && !errors.Is(err, responder.ErrStaleReceipt) {
			w.t.Error(err)
		}
	}
	return len(deliveries)
}

// live lets the clock run, the worker work and the sweep sweep, for a while.
func (w *world) live(d *Dispatcher, span, tick time.Duration) {
	w.t.Helper()
	for range int(span / tick) {
		for w.turn(d) > 0 {
			if w.isDead() {
				return
			}
		}
		w.clock.Advance(tick)
		if w.lived += tick; w.lived%time.Minute == 0 {
			if _, err := d.Sweep(context.Background()); err != nil && !w.isDead() {
				w.t.Fatal(err)
			}
		}
	}
}

// get reads the one run of a flow, beside those that warn of what holds it back.
func (w *world) get(flow string) *responder.Run {
	w.t.Helper()
	page, err := w.runs.List(context.Background(), responder.RunQuery{Flow: flow})
	if err != nil {
		w.t.Fatal(err)
	}
	page.Runs = slices.DeleteFunc(page.Runs, func(r responder.RunSummary) bool { return strings.HasSuffix(r.ID, "#warning") })
	if len(page.Runs) != 1 {
		w.t.Fatalf("%d runs of flow %s, want 1", len(page.Runs), flow)
	}
	run, err := w.runs.Get(context.Background(), page.Runs[0].ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// outline shows how a run stands, on a line a step.
func outline(run *responder.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", run.State, run.Cause)
	paths := sortedKeys(run.Steps)
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	for _, path := range paths {
		s := run.Steps[path]
		fmt.Fprintf(&b, "%s %s tries=%d looks=%d", path, s.State, tries(s), len(s.Attempts)-tries(s))
		if s.Dry {
			b.WriteString(" dry")
		}
		if s.Error != "" {
			fmt.Fprintf(&b, " error=%q", s.Error)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
