package porttest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/skycrafters/responder"
)

// Dead is the conformance suite of responder.Dead. open is called once a case.
func Dead(t *testing.T, open func(t *testing.T) QueueHarness) {
	for name, run := range map[string]func(*testing.T, QueueHarness){
		"a buried message is a dead letter":     testBury,
		"a message never acked ends as dead":    testMaxReceives,
		"released messages end as dead too":     testMaxReleases,
		"letters are listed oldest first":       testLettersInOrder,
		"redrive puts letters back":             testRedrive,
		"redrive puts all letters back":         testRedriveAll,
		"purge forgets letters":                 testPurge,
		"what is not there is not counted":      testNoLetters,
		"a redriven message may die once again": testDiesAgain,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

func testBury(t *testing.T, h QueueHarness) {
	const body, cause = `{"not": "an event 😀"`, "event is not valid JSON: unexpected end – 終"
	h.send(t, body, "other")
	for _, d := range h.receive(t, 2) {
		if string(d.Body) == body {
			h.bury(t, d, cause)
		}
	}
	letters := h.letters(t)
	if len(letters) != 1 {
		t.Fatalf("%d dead letters, want 1", len(letters))
	}
	l := letters[0]
	if string(l.Body) != body || l.Cause != cause || l.Receives != 1 || l.ID == "" || l.Queue == "" || l.Died.IsZero() {
		t.Errorf("dead letter is %+v; want body and cause as given, receives 1, id, queue and died set", l)
	}
	h.pass(t, h.Visibility)
	if d := h.one(t); string(d.Body) != "other" {
		t.Errorf("%q came again, want only the message not buried", d.Body)
	}
	h.none(t, "after the message not buried")
}

func testMaxReceives(t *testing.T, h QueueHarness) {
	h.send(t, "poison")
	for i := range h.MaxReceives {
		if d := h.one(t); d.Receives != i+1 {
			t.Errorf("receives is %d, want %d", d.Receives, i+1)
		}
		h.pass(t, h.Visibility)
	}
	h.none(t, "after its last delivery")
	letters := h.letters(t)
	if len(letters) != 1 || string(letters[0].Body) != "poison" || letters[0].Cause == "" || letters[0].Receives != h.MaxReceives {
		t.Errorf("dead letters are %+v; want the message with a cause and receives %d", letters, h.MaxReceives)
	}
}

func testMaxReleases(t *testing.T, h QueueHarness) {
	h.send(t, "poison", "fine")
	var fine responder.Delivery
	for _, d := range h.receive(t, 2) {
		if string(d.Body) == "fine" {
			fine = d
			continue
		}
		h.release(t, d)
	}
	for range h.MaxReceives - 1 {
		h.release(t, h.one(t))
	}
	h.release(t, fine)
	if d := h.one(t); string(d.Body) != "fine" {
		t.Errorf("%q came once more than %d times", d.Body, h.MaxReceives)
	}
	h.none(t, "after its last delivery")
	if letters := h.letters(t); len(letters) != 1 || string(letters[0].Body) != "poison" {
		t.Errorf("dead letters are %+v, want the message released too often", letters)
	}
}

func testLettersInOrder(t *testing.T, h QueueHarness) {
	for i := range 5 {
		h.send(t, fmt.Sprint(i))
		h.bury(t, h.one(t), "cause")
		h.pass(t, h.minDelay())
	}
	var got []string
	for _, l := range h.letters(t) {
		got = append(got, string(l.Body))
	}
	if want := []string{"0", "1", "2", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if letters, err := h.Dead.List(t.Context(), 2); err != nil || len(letters) != 2 {
		t.Errorf("List of at most 2 gave %d, %v", len(letters), err)
	}
}

func testRedrive(t *testing.T, h QueueHarness) {
	letters := h.graveyard(t, "a", "b", "c")
	if n, err := h.Dead.Redrive(t.Context(), letters["a"].ID, letters["c"].ID); err != nil || n != 2 {
		t.Fatalf("Redrive of two: %d, %v", n, err)
	}
	var got []string
	for _, d := range h.receive(t, 2) {
		got = append(got, string(d.Body))
		if d.Receives != 1 {
			t.Errorf("%s came with receives %d, want 1: redriving begins anew", d.Body, d.Receives)
		}
		h.ack(t, d)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("redriven %v, want a and c", got)
	}
	h.none(t, "beyond what was redriven")
	if left := h.letters(t); len(left) != 1 || string(left[0].Body) != "b" {
		t.Errorf("left are %+v, want b", left)
	}
}

func testRedriveAll(t *testing.T, h QueueHarness) {
	h.graveyard(t, "a", "b", "c")
	if n, err := h.Dead.Redrive(t.Context()); err != nil || n != 3 {
		t.Fatalf("Redrive of all: %d, %v; want 3", n, err)
	}
	h.receive(t, 3)
	if left := h.letters(t); len(left) != 0 {
		t.Errorf("left are %+v, want none", left)
	}
}

func testPurge(t *testing.T, h QueueHarness) {
	letters := h.graveyard(t, "a", "b", "c")
	if n, err := h.Dead.Purge(t.Context(), letters["b"].ID); err != nil || n != 1 {
		t.Fatalf("Purge of one: %d, %v", n, err)
	}
	for _, l := range h.letters(t) {
		if string(l.Body) == "b" {
			t.Error("the purged letter is still there")
		}
	}
	if n, err := h.Dead.Purge(t.Context()); err != nil || n != 2 {
		t.Fatalf("Purge of all: %d, %v; want 2", n, err)
	}
	if left := h.letters(t); len(left) != 0 {
		t.Errorf("left are %+v, want none", left)
	}
	h.none(t, "after a purge")
}

func testNoLetters(t *testing.T, h QueueHarness) {
	h.graveyard(t, "a")
	for name, do := range map[string]func(ids ...string) (int, error){
		"Redrive": func(ids ...string) (int, error) { return h.Dead.Redrive(t.Context(), ids...) },
		"Purge":   func(ids ...string) (int, error) { return h.Dead.Purge(t.Context(), ids...) },
	} {
		if n, err := do("no such letter", "", "-1"); err != nil || n != 0 {
			t.Errorf("%s of letters that are not there: %d, %v; want 0, nil", name, n, err)
		}
	}
	if left := h.letters(t); len(left) != 1 {
		t.Errorf("left are %+v, want the one", left)
	}
}

func testDiesAgain(t *testing.T, h QueueHarness) {
	h.graveyard(t, "zombie")
	if _, err := h.Dead.Redrive(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.bury(t, h.one(t), "the second cause")
	letters := h.letters(t)
	if len(letters) != 1 || letters[0].Cause != "the second cause" {
		t.Errorf("dead letters are %+v, want one with the second cause", letters)
	}
}

// graveyard sends and buries texts, and gives their letters by text.
func (h QueueHarness) graveyard(t *testing.T, texts ...string) map[string]responder.DeadLetter {
	t.Helper()
	h.send(t, texts...)
	for _, d := range h.receive(t, len(texts)) {
		h.bury(t, d, "cause of "+string(d.Body))
	}
	byText := map[string]responder.DeadLetter{}
	for _, l := range h.letters(t) {
		byText[string(l.Body)] = l
	}
	if len(byText) != len(texts) {
		t.Fatalf("buried %d, listed %d", len(texts), len(byText))
	}
	return byText
}

func (h QueueHarness) letters(t *testing.T) []responder.DeadLetter {
	t.Helper()
	letters, err := h.Dead.List(t.Context(), 100)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	return letters
}

func (h QueueHarness) bury(t *testing.T, d responder.Delivery, cause string) {
	t.Helper()
	if err := h.Dead.Bury(t.Context(), d, cause); err != nil {
		t.Fatalf("Bury: %v", err)
	}
}

func (h QueueHarness) release(t *testing.T, d responder.Delivery) {
	t.Helper()
	if err := h.Queue.Release(t.Context(), d, 0); err != nil {
		t.Fatalf("Release: %v", err)
	}
}
