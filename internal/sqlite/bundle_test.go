package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// told is a queue by a clock that the test sets.
type told struct {
	*Queue
	t   *testing.T
	now time.Time
}

func openTold(t *testing.T, options QueueOptions) *told {
	t.Helper()
	told := &told{t: t, now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	db, err := Open(filepath.Join(t.TempDir(), "r.db"), Options{Now: func() time.Time { return told.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	told.Queue = db.Queue("q", options)
	return told
}

// texts makes messages of numbers: from, from+1, …
func texts(from, n int) (messages []responder.Message) {
	for i := range n {
		messages = append(messages, responder.Message{Body: fmt.Append(nil, from+i)})
	}
	return messages
}

func (q *told) send(messages ...responder.Message) {
	q.t.Helper()
	if err := q.Send(q.t.Context(), messages...); err != nil {
		q.t.Fatal(err)
	}
}

// receive wants as many as these numbers, in this order.
func (q *told) receive(max, from, n int) []responder.Delivery {
	q.t.Helper()
	deliveries, err := q.Receive(q.t.Context(), max, 0)
	if err != nil {
		q.t.Fatal(err)
	}
	var got, want []string
	for _, d := range deliveries {
		got = append(got, string(d.Body))
	}
	for i := range n {
		want = append(want, fmt.Sprint(from+i))
	}
	if !slices.Equal(got, want) {
		q.t.Fatalf("received %v, want %v", got, want)
	}
	return deliveries
}

func (q *told) ack(deliveries ...responder.Delivery) {
	q.t.Helper()
	if err := q.Ack(q.t.Context(), deliveries...); err != nil {
		q.t.Fatal(err)
	}
}

// holds wants so many rows of messages and of bodies, and these Stats.
func (q *told) holds(rows int, want QueueStats) {
	q.t.Helper()
	for _, table := range []string{"messages", "bodies"} {
		var n int
		if err := q.db.read.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil || n != rows {
			q.t.Errorf("%d rows of %s, %v; want %d", n, table, err, rows)
		}
	}
	stats, err := q.db.Stats(q.t.Context())
	if err != nil || stats.Queues["q"] != want {
		q.t.Errorf("stats are %+v, %v; want %+v", stats.Queues["q"], err, want)
	}
}

// Messages of one Send are one row from end to end, where nothing goes wrong.
func TestBundleIsOneRow(t *testing.T) {
	q := openTold(t, QueueOptions{})
	q.send(texts(0, 250)...)
	q.holds(3, QueueStats{Ready: 250})
	first := q.receive(100, 0, 100)
	q.holds(3, QueueStats{Ready: 150, InFlight: 100})
	q.ack(first...)
	q.holds(2, QueueStats{Ready: 150})
	q.ack(q.receive(1000, 100, 150)...)
	q.holds(0, QueueStats{})
}

// What goes into a row: messages in turn, of the same delay, not too many.
func TestBundles(t *testing.T) {
	large := responder.Message{Body: bytes.Repeat([]byte("x"), responder.MaxMessageBytes)}
	later := responder.Message{Body: []byte("later"), Delay: time.Minute}
	for _, c := range []struct {
		messages []responder.Message
		want     []int
	}{
		{nil, nil},
		{texts(0, 1), []int{1}},
		{texts(0, maxBundle), []int{maxBundle}},
		{texts(0, 2*maxBundle+1), []int{maxBundle, maxBundle, 1}},
		{append(append(texts(0, 2), later, later), texts(0, 3)...), []int{2, 2, 3}},
		{slices.Repeat([]responder.Message{large}, 1+maxBundleBytes/len(large.Body)), []int{maxBundleBytes / len(large.Body), 1}},
	} {
		var got []int
		for bundle := range bundles(c.messages) {
			got = append(got, len(bundle))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d messages go into rows of %v, want %v", len(c.messages), got, c.want)
		}
	}
}

// An id is never used again, whether the messages are gone, and whether they
// were bundled.
func TestIDsOfBundles(t *testing.T) {
	q := openTold(t, QueueOptions{})
	seen := map[string]bool{}
	for round, n := range []int{3, 1, 2, 1, 5} {
		q.send(texts(0, n)...)
		for _, d := range q.receive(10, 0, n) {
			if seen[d.ID] {
				t.Errorf("in round %d id %s is used again", round, d.ID)
			}
			seen[d.ID] = true
			q.ack(d)
		}
	}
	q.holds(0, QueueStats{})
}

// What becomes of a part leaves the others as they were.
func TestPartOfBundle(t *testing.T) {
	for name, do := range map[string]func(*told, responder.Delivery) error{
		"Ack":     func(q *told, d responder.Delivery) error { return q.Ack(t.Context(), d) },
		"Ack two": func(q *told, d responder.Delivery) error { return q.Ack(t.Context(), d, d) },
		"Release": func(q *told, d responder.Delivery) error { return q.Release(t.Context(), d, time.Hour) },
		"Bury":    func(q *told, d responder.Delivery) error { return q.Bury(t.Context(), d, "cause") },
	} {
		t.Run(name, func(t *testing.T) {
			q := openTold(t, QueueOptions{Visibility: time.Minute})
			q.send(texts(0, 3)...)
			all := q.receive(3, 0, 3)
			err := do(q, all[0])
			if stale := name == "Ack two"; errors.Is(err, responder.ErrStaleReceipt) != stale || !stale && err != nil {
				t.Fatal(err)
			}
			if err := q.Ack(t.Context(), all...); name != "Release" && !errors.Is(err, responder.ErrStaleReceipt) {
				t.Errorf("acked all, one of which was gone: %v", err)
			}
			q.holds(0, map[string]QueueStats{"Bury": {Dead: 1}}[name])
		})
	}
}

// A bundle that comes again, or that its receiver has no room for, is one no more.
func TestBundleIsTakenApart(t *testing.T) {
	q := openTold(t, QueueOptions{Visibility: time.Minute, MaxReceives: 2})
	q.send(texts(0, 4)...)
	old := q.receive(10, 0, 4)
	q.now = q.now.Add(time.Minute)
	again := q.receive(10, 0, 4)
	q.holds(4, QueueStats{InFlight: 4})
	for i, d := range again {
		if d.ID != old[i].ID || d.Receives != 2 {
			t.Errorf("%+v came again as %+v", old[i], d)
		}
	}
	if err := q.Ack(t.Context(), old...); !errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("acked by stale receipts: %v", err)
	}
	q.ack(again[:3]...)
	q.now = q.now.Add(time.Minute)
	q.receive(10, 0, 0)
	q.holds(0, QueueStats{Dead: 1}) // not its neighbours

	q.send(texts(0, 5)...)
	q.ack(q.receive(2, 0, 2)...)
	q.holds(3, QueueStats{Ready: 3, Dead: 1})
	q.ack(q.receive(10, 2, 3)...)
}

// Bundles and single messages come in the order in which they became deliverable.
func TestBundlesInTurn(t *testing.T) {
	q := openTold(t, QueueOptions{})
	for _, n := range []int{1, 30, 1, 1, 60, 20} {
		q.send(texts(q.sent(), n)...)
		q.now = q.now.Add(time.Second)
	}
	q.receive(100, 0, 93) // the last does not fit
	q.receive(100, 93, 20)
}

// sent is how many messages the queue has ever been sent.
func (q *told) sent() (n int) {
	if err := q.db.read.QueryRow(`SELECT ifnull(max(seq), 0) FROM messages`).Scan(&n); err != nil {
		q.t.Fatal(err)
	}
	return n
}

// What a dead process held counts by message, and comes again one by one.
func TestTakeOverOfBundles(t *testing.T) {
	q := openTold(t, QueueOptions{Visibility: time.Hour})
	q.send(texts(0, 7)...)
	q.receive(10, 0, 7)
	if taken, err := q.db.TakeOver(t.Context()); err != nil || taken.Messages != 7 {
		t.Errorf("took over %+v, %v; want 7 messages", taken, err)
	}
	q.holds(1, QueueStats{Ready: 7})
	q.receive(10, 0, 7)
	q.holds(7, QueueStats{InFlight: 7})
}

// A damaged bundle gives its number of messages all the same, and stops nothing.
func TestDamagedBundle(t *testing.T) {
	q := openTold(t, QueueOptions{})
	q.send(texts(0, 3)...)
	if err := q.db.write(t.Context(), "test", func(tx *tx) error {
		_, err := tx.exec(`UPDATE bodies SET body = x'ffffff'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(t.Context(), 10, 0)
	if err != nil || len(deliveries) != 3 {
		t.Fatalf("received %v, %v", deliveries, err)
	}
	for i, d := range deliveries {
		if err := q.Bury(t.Context(), d, strings.Repeat("x", i)); err != nil {
			t.Error(err)
		}
	}
	q.holds(0, QueueStats{Dead: 3})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x01a\x02bc\x00"), 3)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 2)
	f.Add([]byte{}, 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 1 || n > 2*maxBundle {
			return
		}
		bodies := unpack(data, n)
		if len(bodies) != n {
			t.Fatalf("%d bodies, want %d", len(bodies), n)
		}
		var messages []responder.Message
		for _, body := range bodies {
			if body == nil && data != nil {
				t.Error("a body that is none: the table refuses it")
			}
			messages = append(messages, responder.Message{Body: body})
		}
		for i, body := range unpack(pack(nil, messages), n) {
			if !bytes.Equal(body, bodies[i]) || cap(body) != len(body) && n > 1 {
				t.Errorf("body %d is %q with room for %d, want %q with none", i, body, cap(body)-len(body), bodies[i])
			}
		}
	})
}
