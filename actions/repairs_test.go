package actions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// What holds for every repair: that it looks, does, looks again, and is put back.

var now = time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)

// repairCall is a call about an event of ten minutes ago.
func repairCall(params map[string]any) responder.Call {
	call := userCall(params)
	call.Now = now
	call.Finding = responder.Finding{Rule: "r", Key: "k", Event: json.RawMessage(`{"time":"2026-11-23T06:50:00Z"}`)}
	return call
}

func survey(t *testing.T, action responder.Action, call responder.Call) (responder.Survey, error) {
	t.Helper()
	found, err := action.(responder.Surveyor).Survey(t.Context(), call)
	for _, b := range found.Undo {
		if spec := action.Spec(); !slices.Contains(spec.Undo, b.Action) {
			t.Errorf("%s is undone by %s, which policies are not told", spec.Name, b.Action)
		}
	}
	return found, err
}

// stored gives a survey as the run keeps it.
func stored(t *testing.T, s responder.Survey) responder.Survey {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var kept responder.Survey
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if len(text) > 4096 {
		t.Errorf("a survey of %d bytes", len(text))
	}
	return kept
}

// doAndUndo does a repair and what its survey says puts it back, and looks at the
// world each time. It gives the survey and the result.
func doAndUndo(t *testing.T, catalogue responder.Catalogue, name string, call responder.Call, world func() any) (responder.Survey, responder.Result) {
	t.Helper()
	repair := catalogue[name]
	before := world()
	found, err := survey(t, repair, call)
	if err != nil {
		t.Fatalf("%s: survey: %v", name, err)
	}
	found = stored(t, found)
	if after := world(); !reflect.DeepEqual(before, after) {
		t.Fatalf("%s: the survey has changed the world:\n%v\n%v", name, before, after)
	}
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictNotDone || err != nil {
		t.Errorf("%s: before: verified as %v, %v", name, verdict, err)
	}
	result, err := repair.Do(t.Context(), call)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for key := range result {
		if repair.Spec().Result[key] == "" {
			t.Errorf("%s: result %q is not declared", name, key)
		}
	}
	if reflect.DeepEqual(before, world()) {
		t.Errorf("%s has changed nothing", name)
	}
	done := world()
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
		t.Errorf("%s: after: verified as %v, %v", name, verdict, err)
	}
	if _, err := repair.Do(t.Context(), call); err != nil {
		t.Errorf("%s again: %v", name, err)
	}
	if again := world(); !reflect.DeepEqual(done, again) {
		t.Errorf("%s again has changed the world:\n%v\n%v", name, done, again)
	}
	if len(found.Undo) == 0 && len(found.Lasting) == 0 {
		t.Errorf("%s: nothing puts it back, and nothing lasts", name)
	}
	for _, b := range found.Undo {
		back := call
		back.Params = b.Params
		undo := catalogue[b.Action]
		if undo == nil || undo.Spec().Kind != responder.Repair {
			t.Fatalf("%s is undone by %s, which is no repair", name, b.Action)
		}
		checkParams(t, undo.Spec(), b.Params)
		if _, err := undo.Do(t.Context(), back); err != nil {
			t.Errorf("%s, undone by %s: %v", name, b.Action, err)
		}
		if verdict, err := verify(t, undo, back); verdict != responder.VerdictDone || err != nil {
			t.Errorf("%s: verified as %v, %v", b.Action, verdict, err)
		}
	}
	if after := world(); len(found.Undo) > 0 && !reflect.DeepEqual(before, after) {
		t.Errorf("%s, undone, leaves the world otherwise:\n%v\n%v", name, before, after)
	}
	if len(found.Undo) > 0 {
		undoneByPeople(t, catalogue, name, call, world)
	}
	return found, result
}

// undoneByPeople has a finding repaired and its run undone as `runs undo` does it,
// by the engine: the world is as it was before.
func undoneByPeople(t *testing.T, catalogue responder.Catalogue, name string, call responder.Call, world func() any) {
	t.Helper()
	before := world()
	e := newEngine(t, catalogue, call.Account, call.Region, "", "      - remediate: {}\n")
	e.finding.Key, e.finding.Remediate = "k/"+name+fmt.Sprint(call.Params), &responder.Binding{Action: name, Params: call.Params}
	run := e.run()
	if run.State != responder.RunSucceeded || reflect.DeepEqual(before, world()) {
		t.Fatalf("%s: a run of it: %s", name, told(run))
	}
	undo := e.undo()
	if after := world(); undo.State != responder.RunSucceeded || !reflect.DeepEqual(before, after) {
		t.Errorf("%s, undone by a run, leaves the world otherwise:\n%v\n%v\n%s", name, before, after, told(undo))
	}
	for path, s := range undo.Steps {
		if s.State != responder.StepSucceeded || s.Dry || s.Result["guard"] != nil {
			t.Errorf("%s: the undo's step %s: %s", name, path, told(undo))
		}
	}
}

// checkParams holds the parameters of an undo to what the action declares.
func checkParams(t *testing.T, spec responder.Spec, params map[string]any) {
	t.Helper()
	for _, p := range spec.Params {
		if _, given := params[p.Name]; p.Required && !given {
			t.Errorf("%s without %s", spec.Name, p.Name)
		}
	}
	for name := range params {
		if !slices.ContainsFunc(spec.Params, func(p responder.Param) bool { return p.Name == name }) {
			t.Errorf("%s has no %s", spec.Name, name)
		}
	}
}

// checkNeeds holds what a call needs to what the action declares, and to what was asked.
func checkNeeds(t *testing.T, action responder.Action, call responder.Call, used []string) {
	t.Helper()
	spec := action.Spec()
	declared, needed := map[string]bool{}, map[string]bool{}
	for _, p := range spec.Permissions {
		for _, a := range p.Actions {
			declared[a] = true
		}
	}
	for _, p := range action.(responder.Narrower).Needs(call) {
		for _, a := range p.Actions {
			needed[a] = true
			for _, resource := range p.Resources {
				if !slices.ContainsFunc(spec.Permissions, func(p responder.Permission) bool {
					return slices.Contains(p.Actions, a) && slices.ContainsFunc(p.Resources, func(pattern string) bool { return covers(pattern, resource) })
				}) {
					t.Errorf("%s needs %s on %s, which is not declared", spec.Name, a, resource)
				}
			}
		}
	}
	asked := map[string]bool{}
	for _, a := range used {
		asked[a] = true
	}
	if !maps.Equal(declared, asked) || !maps.Equal(needed, asked) {
		t.Errorf("%s\ndeclared %v\n  needed %v\n   asked %v", spec.Name, slices.Sorted(maps.Keys(declared)), slices.Sorted(maps.Keys(needed)), slices.Sorted(maps.Keys(asked)))
	}
}

// covers reports whether a pattern of a policy covers all that another does.
func covers(pattern, resource string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	quoted = regexp.MustCompile(`\\\$\\\{AWS::[A-Za-z]+\\\}`).ReplaceAllLiteralString(quoted, `(\$\{[^}]*\}|[a-z0-9-]+)`)
	return regexp.MustCompile("^" + quoted + "$").MatchString(resource)
}

// hostile are values that no target has. None may reach AWS, and none may go
// into an error as it is.
var hostile = map[string]any{
	"nil": nil, "empty": "", "blank": " ", "number": 7.0, "map": map[string]any{"a": "b"}, "empty list": []any{}, "list of nothing": []any{""},
	"list of numbers": []any{1.0}, "mixed list": []any{key1, "*"},
	"command": "$(reboot)", "backquotes": "`reboot`", "expression": "{{ actor.name }}", "quote": `b"ob`, "single quote": "b'ob", "lines": "bob\r\nX-Evil: 1",
	"colours": "\x1b[31mbob", "channel": "<!channel>", "right to left": "bob\u202egro", "wildcard": "*", "question": "b?b", "path": "../bob", "slash": "a/b",
	"policy variable": "${aws:username}", "other script": "bоb", "nul": "bob\x00", "long": strings.Repeat("b", 3000), "space": "bob smith",
}

// refusesHostile has every parameter that names a target hold every hostile value.
func refusesHostile(t *testing.T, catalogue responder.Catalogue, name string, call responder.Call, params []string, asked func() int) {
	t.Helper()
	for _, param := range params {
		for what, value := range hostile {
			bad := call
			bad.Params = maps.Clone(call.Params)
			bad.Params[param] = value
			action := catalogue[name]
			_, doing := action.Do(t.Context(), bad)
			_, looking := survey(t, action, bad)
			verdict, verifying := verify(t, action, bad)
			for how, err := range map[string]error{"do": doing, "survey": looking, "verify": verifying} {
				if !isPermanent(err) || strings.ContainsAny(err.Error(), "\x00\x1b\r\n\u202e") || len(err.Error()) > 300 {
					t.Errorf("%s, %s: %s is %s: got %v, want *Permanent", name, how, param, what, err)
				}
			}
			if verdict != responder.VerdictUnknown {
				t.Errorf("%s: %s is %s: verified as %v", name, param, what, verdict)
			}
			if needs := action.(responder.Narrower).Needs(bad); len(needs) > 0 && !reflect.DeepEqual(needs, action.(responder.Narrower).Needs(call)) {
				t.Errorf("%s: %s is %s: needs %v", name, param, what, needs)
			}
			if said := action.(responder.Describer).Describe(bad); strings.ContainsAny(said, "\x00\x1b\r\n\u202e") {
				t.Errorf("%s: %s is %s: would %q", name, param, what, said)
			}
			if n := asked(); n > 0 {
				t.Fatalf("%s: %s is %s: AWS was asked", name, param, what)
			}
		}
	}
}

// TestRepairsAreWhole has every repair say what puts it back, to people and to
// policies alike.
func TestRepairsAreWhole(t *testing.T) {
	catalogue := actions.New(actions.Deps{})
	named := regexp.MustCompile(`\b(IAM|EC2|S3|SSM|CloudTrail)[A-Z][A-Za-z]+`)
	for name, action := range catalogue {
		if action.Spec().Kind != responder.Repair {
			continue
		}
		_, surveys := action.(responder.Surveyor)
		_, narrows := action.(responder.Narrower)
		inverse := action.Spec().Inverse
		if !surveys || !narrows || !strings.HasSuffix(inverse, ".") {
			t.Errorf("%s: surveys %v, narrows %v, inverse %q", name, surveys, narrows, inverse)
		}
		said, undo := named.FindAllString(inverse, -1), action.Spec().Undo
		if (undo == nil) != strings.HasPrefix(inverse, "Nothing") {
			t.Errorf("%s is undone by %v, and to people it says %q", name, undo, inverse)
		}
		for _, other := range said {
			if !slices.Contains(undo, other) {
				t.Errorf("%s is undone by %s, which policies are not told", name, other)
			}
		}
		for _, other := range undo {
			if catalogue[other] == nil || catalogue[other].Spec().Kind != responder.Repair {
				t.Errorf("%s is undone by %s, which is no repair", name, other)
			}
		}
	}
}

func failsAsPermanentNaming(err error, operation string) bool {
	var permanent *responder.Permanent
	return errors.As(err, &permanent) && strings.Contains(err.Error(), operation)
}
