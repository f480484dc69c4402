package actions

import (
	"strconv"
	"testing"

	"github.com/skycrafters/responder"
)

func TestDescribe(t *testing.T) {
	finding := responder.Finding{Title: "Root has logged in"}
	for name, test := range map[string]struct {
		call responder.Call
		want string
	}{
		"SendSlack":             {responder.Call{Prefix: "[DRY RUN] "}, `post "[DRY RUN] Root has logged in"`},
		"SendDiscord":           {responder.Call{Params: map[string]any{"message": "a\x1b[31m\nb"}}, `post "a b"`},
		"SendGoogleChat":        {responder.Call{Params: map[string]any{"message": map[string]any{"header": "h"}}, Body: map[string]any{}}, `post "Root has logged in"`},
		"SendEmail":             {responder.Call{Params: map[string]any{"subject": "s"}}, `e-mail "s"`},
		"IAMUserExists":         {responder.Call{Params: map[string]any{"user": "bob"}}, "ask whether user bob still exists"},
		"IAMDeleteUser":         {responder.Call{Params: map[string]any{"user": "bob"}}, "delete user bob"},
		"EC2InstanceAlive":      {responder.Call{Params: map[string]any{"ids": []any{"i-1", "i-2"}}}, "ask whether i-1, i-2 are alive"},
		"EC2TerminateInstances": {responder.Call{Params: map[string]any{"ids": []any{"i-1", "i-2"}}}, "terminate i-1, i-2"},
	} {
		test.call.Finding = finding
		if got := New(Deps{})[name].(responder.Describer).Describe(test.call); got != test.want {
			t.Errorf("%s would %s, want %s", name, got, test.want)
		}
	}
	// Whoever reads what would be posted reads it as the event has it.
	const hostile = "<!channel> *jane* [x](y) & :fire: `z` > q"
	for _, name := range []string{"SendSlack", "SendDiscord", "SendGoogleChat", "SendTeams"} {
		action := New(Deps{})[name]
		call := responder.Call{Params: map[string]any{"message": "Look: " + action.Spec().Escape(hostile)}}
		if got, want := action.(responder.Describer).Describe(call), "post "+strconv.Quote("Look: "+hostile); got != want {
			t.Errorf("%s would %s, want %s", name, got, want)
		}
	}
	for name, action := range New(Deps{}) {
		if _, ok := action.(responder.Describer); !ok {
			t.Errorf("%s does not say what it would do", name)
		}
	}
}
