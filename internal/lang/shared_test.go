package lang

import (
	"sync"
	"testing"
)

// TestSharedForgets: what one expression names with `let` the next does not
// know, and what one scope has another has not.
func TestSharedForgets(t *testing.T) {
	scope := Scope{Names: []string{"event"}, Shared: NewShared()}
	compiles := func(source string, scope Scope, want bool) {
		t.Helper()
		if p, problems := Compile(Plain(source), scope); (p != nil) != want {
			t.Errorf("%s: compiles: %v, want %v; %v", source, p != nil, want, problems)
		}
	}
	for range 2 {
		compiles(`let called = event.x; called == 1`, scope, true)
		compiles(`called == 1`, scope, false)
	}
	item := scope
	item.Names = []string{"event", "item"}
	compiles(`item == 1`, item, true)
	compiles(`item == 1`, scope, false)
	vars := scope
	vars.Vars = map[string]any{"v": 1}
	compiles(`vars.v == event`, scope, false)
	compiles(`vars.v == event`, vars, true)
	compiles(`vars.v == event`, scope, false)
}

// TestSharedAtOnce: programs are compiled beside each other, with lists in
// common that are made ready once; and each evaluated for the first time by
// several at once.
func TestSharedAtOnce(t *testing.T) {
	list := []any{"10.0.0.0/8", "192.0.2.1"}
	shared := NewShared()
	programs := make([]*Program, 4)
	each := func(do func(i int)) {
		var all sync.WaitGroup
		for i := range programs {
			all.Go(func() { do(i) })
		}
		all.Wait()
	}
	each(func(i int) {
		scope := Scope{Names: []string{"event", "ip"}, Lists: map[string]any{"l": list}, Shared: shared.Another()}
		programs[i], _ = Compile(Plain(`ip_in(ip, lists.l) && event.a matches "^x+$"`), scope)
	})
	if len(shared.lists.made) != 1 {
		t.Errorf("the list is made ready %d times", len(shared.lists.made))
	}
	each(func(int) {
		for _, p := range programs {
			if yes, err := p.Test(map[string]any{"ip": "10.1.1.1", "event": map[string]any{"a": "xx"}}); !yes || err != nil {
				t.Errorf("it gives %v, %v", yes, err)
			}
		}
	})
}
