package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// testParts lets chance send batches, receive parts of them, and settle parts
// of what was received, and holds each delivery to what must be so by then: a
// message keeps its id, counts its receives, comes when it is visible and at no
// other time, and ends as chance had it, whatever became of those beside it.
func testParts(t *testing.T, h QueueHarness) {
	told(t, h.Advance)
	for seed := range uint64(4) {
		m := &parts{QueueHarness: h, dice: rand.New(rand.NewPCG(seed, 7)), seed: seed, ids: map[string]string{}}
		for range 150 {
			m.turn(t)
			if t.Failed() {
				t.Fatalf("by seed %d", seed)
			}
		}
		m.end(t)
	}
}

// parts is what the queue must hold.
type parts struct {
	QueueHarness
	dice     *rand.Rand
	seed     uint64
	now      time.Duration     // how much has gone by
	messages []*part           // all that were sent
	ids      map[string]string // of messages on the queue, by id
	old      []responder.Delivery
}

// part is one message.
type part struct {
	body     string
	id       string // "" before its first delivery
	visible  time.Duration
	receives int
	latest   responder.Delivery
	dead     bool
	acked    bool
}

// live reports whether the message is on the queue and has deliveries left.
func (m *parts) live(p *part) bool { return !p.dead && !p.acked && p.receives < m.MaxReceives }

// spent reports whether the message is dead as soon as somebody looks.
func (m *parts) spent(p *part) bool {
	return !p.dead && !p.acked && p.receives >= m.MaxReceives && p.visible <= m.now
}

func (m *parts) turn(t *testing.T) {
	t.Helper()
	switch m.dice.IntN(8) {
	case 0, 1:
		m.sendSome(t)
	case 2, 3, 4:
		m.receiveSome(t, 1+m.dice.IntN(25))
	case 5:
		m.settleSome(t)
	case 6:
		m.useOldReceipt(t)
	case 7:
		by := m.Visibility * time.Duration(m.dice.IntN(5)) / 4
		m.Advance(by)
		m.now += by
	}
}

func (m *parts) sendSome(t *testing.T) {
	t.Helper()
	var batch []responder.Message
	for range 1 + m.dice.IntN(15) {
		p := &part{body: fmt.Sprintf("%d/%d%s", m.seed, len(m.messages), strings.Repeat("é", m.dice.IntN(300))), visible: m.now}
		message := responder.Message{Body: []byte(p.body)}
		if m.dice.IntN(8) == 0 {
			message.Delay = m.minDelay() * time.Duration(m.dice.IntN(3))
			p.visible += message.Delay
		}
		batch, m.messages = append(batch, message), append(m.messages, p)
	}
	if err := m.Queue.Send(t.Context(), batch...); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

// receiveSome receives once, and wants something if something is there.
func (m *parts) receiveSome(t *testing.T, most int) int {
	t.Helper()
	there := slices.ContainsFunc(m.messages, func(p *part) bool { return m.live(p) && p.visible <= m.now })
	deliveries, err := m.Queue.Receive(t.Context(), most, 0)
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	if len(deliveries) > most || there && len(deliveries) == 0 {
		t.Fatalf("Receive of at most %d gave %d; something is there: %v", most, len(deliveries), there)
	}
	for _, d := range deliveries {
		i := slices.IndexFunc(m.messages, func(p *part) bool { return p.body == string(d.Body) })
		if i < 0 {
			t.Fatalf("%.40q was delivered, and never sent", d.Body)
		}
		p := m.messages[i]
		if !m.live(p) || p.visible > m.now {
			t.Fatalf("%.20q was delivered: acked %v, dead %v, received %d times, visible in %v", d.Body, p.acked, p.dead, p.receives, p.visible-m.now)
		}
		if d.Receives != p.receives+1 || p.id != "" && d.ID != p.id || p.id == "" && m.ids[d.ID] != "" {
			t.Fatalf("%.20q came with receives %d and id %s; want %d, %s (that id has been %.20q's)", d.Body, d.Receives, d.ID, p.receives+1, p.id, m.ids[d.ID])
		}
		if p.receives > 0 {
			m.old = append(m.old, p.latest)
		}
		p.id, p.latest, p.receives, p.visible = d.ID, d, d.Receives, m.now+m.Visibility
		m.ids[d.ID] = p.body
	}
	return len(deliveries)
}

// settleSome acks some of what is held, releases one and buries one.
func (m *parts) settleSome(t *testing.T) {
	t.Helper()
	var held []*part
	for _, p := range m.messages {
		if p.receives > 0 && !p.acked && !p.dead && !m.spent(p) {
			held = append(held, p)
		}
	}
	m.dice.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	if len(held) > 0 && m.dice.IntN(2) == 0 {
		p := held[0]
		held = held[1:]
		after := m.minDelay() * time.Duration(m.dice.IntN(3))
		if err := m.Queue.Release(t.Context(), p.latest, after); err != nil {
			t.Fatalf("Release: %v", err)
		}
		p.visible = m.now + after
	}
	if len(held) > 0 && m.dice.IntN(3) == 0 {
		m.bury(t, held[0].latest, "chance")
		held[0].dead = true
		held = held[1:]
	}
	var done []responder.Delivery
	some := m.dice.IntN(len(held) + 1)
	if m.dice.IntN(3) == 0 {
		some = len(held)
	}
	for _, p := range held[:some] {
		p.acked = true
		done = append(done, p.latest)
		m.old = append(m.old, p.latest)
	}
	m.ack(t, done...)
}

// useOldReceipt settles by receipts that no longer count, which changes nothing.
func (m *parts) useOldReceipt(t *testing.T) {
	t.Helper()
	if len(m.old) == 0 || m.LaxReceipts {
		return
	}
	d := m.old[m.dice.IntN(len(m.old))]
	for what, err := range map[string]error{
		"Ack": m.Queue.Ack(t.Context(), d), "Release": m.Queue.Release(t.Context(), d, 0), "Bury": m.Dead.Bury(t.Context(), d, "late"),
	} {
		if !errors.Is(err, responder.ErrStaleReceipt) {
			t.Fatalf("%s of %.20q with an old receipt: %v, want ErrStaleReceipt", what, d.Body, err)
		}
	}
}

// end receives what is left until nothing comes, and counts the dead.
func (m *parts) end(t *testing.T) {
	t.Helper()
	for range m.MaxReceives + 1 {
		m.Advance(m.Visibility)
		m.now += m.Visibility
		for m.receiveSome(t, 25) > 0 {
		}
	}
	letters, err := m.Dead.List(t.Context(), len(m.messages)+1)
	if err != nil {
		t.Fatal(err)
	}
	dead := map[string]int{}
	for _, l := range letters {
		dead[string(l.Body)]++
	}
	for _, p := range m.messages {
		want := 1
		if p.acked {
			want = 0
		}
		if dead[p.body] != want {
			t.Errorf("seed %d: %.20q is %d times among the dead, want %d (acked %v, buried %v, received %d times)", m.seed, p.body, dead[p.body], want, p.acked, p.dead, p.receives)
		}
	}
	if _, err := m.Dead.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
}
