package porttest

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// Halts is the conformance suite of responder.Halts. open is called once a case.
func Halts(t *testing.T, open func(t *testing.T) responder.Halts) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	halt := func(flow, by string) responder.Halt {
		return responder.Halt{Flow: flow, By: by, Why: "a \"reason\"\n根", At: at}
	}
	want := func(t *testing.T, h responder.Halts, halts ...responder.Halt) {
		t.Helper()
		got, err := h.Halts(t.Context())
		if err != nil || len(got) != len(halts) || len(halts) > 0 && !reflect.DeepEqual(got, halts) {
			t.Errorf("Halts: %v, %v; want %v", got, err, halts)
		}
	}
	set := func(t *testing.T, h responder.Halts, halt responder.Halt, is error) {
		t.Helper()
		if err := h.Halt(t.Context(), halt); !errors.Is(err, is) {
			t.Errorf("Halt %v: %v, want %v", halt, err, is)
		}
	}
	t.Run("what is halted is told until it is resumed", func(t *testing.T) {
		h := open(t)
		want(t, h)
		set(t, h, halt("f", "ann"), nil)
		set(t, h, halt("", "bob"), nil)
		want(t, h, halt("", "bob"), halt("f", "ann"))
		if got, err := h.Resume(t.Context(), "f"); err != nil || got != halt("f", "ann") {
			t.Errorf("Resume: %v, %v", got, err)
		}
		want(t, h, halt("", "bob"))
		if got, err := h.Resume(t.Context(), ""); err != nil || got != halt("", "bob") {
			t.Errorf("Resume of all: %v, %v", got, err)
		}
		want(t, h)
		set(t, h, halt("f", "eve"), nil)
		want(t, h, halt("f", "eve"))
	})
	t.Run("the first halt stands", func(t *testing.T) {
		h := open(t)
		set(t, h, halt("f", "ann"), nil)
		set(t, h, halt("f", "bob"), responder.ErrExists)
		want(t, h, halt("f", "ann"))
	})
	t.Run("what is not halted cannot be resumed", func(t *testing.T) {
		h := open(t)
		for range 2 {
			if _, err := h.Resume(t.Context(), "f"); !errors.Is(err, responder.ErrNotFound) {
				t.Errorf("Resume: %v, want ErrNotFound", err)
			}
			set(t, h, halt("g", "ann"), nil)
			if _, err := h.Resume(t.Context(), "g"); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("any text is a flow", func(t *testing.T) {
		h := open(t)
		for _, flow := range []string{"a/b", "a b", "#:.$", "'; DROP TABLE halts; --", "根 😀", "key", strings.Repeat("f", 500)} {
			set(t, h, halt(flow, "ann"), nil)
			want(t, h, halt(flow, "ann"))
			if got, err := h.Resume(t.Context(), flow); err != nil || got != halt(flow, "ann") {
				t.Errorf("Resume of %.20q: %v, %v", flow, got, err)
			}
		}
	})
	t.Run("of many one halts", func(t *testing.T) {
		h := open(t)
		var first atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				switch err := h.Halt(t.Context(), halt("f", "ann")); {
				case err == nil:
					first.Add(1)
				case !errors.Is(err, responder.ErrExists):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if first.Load() != 1 {
			t.Errorf("%d halted it first", first.Load())
		}
	})
}
