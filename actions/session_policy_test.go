package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/skycrafters/responder"
)

// needy is an action that needs what it is told to.
type needy struct{ ever, now []responder.Permission }

func (a needy) Spec() responder.Spec {
	return responder.Spec{Name: "Needy", Kind: responder.Repair, Permissions: a.ever}
}
func (a needy) Do(context.Context, responder.Call) (responder.Result, error) { return nil, nil }
func (a needy) Needs(responder.Call) []responder.Permission                  { return a.now }

func may(actions, resources string) responder.Permission {
	return responder.Permission{Actions: strings.Fields(actions), Resources: strings.Fields(resources)}
}

func TestSessionPolicies(t *testing.T) {
	conditional := may("ec2:StopInstances", "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/*")
	conditional.Condition = map[string]map[string]string{"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}", "ec2:ResourceTag/a<b": "&"}}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("arn:${AWS::Partition}:ec2:eu-west-3:${AWS::AccountId}:instance/i-%017d", i))
	}
	long := responder.Permission{Actions: []string{"ec2:TerminateInstances"}, Resources: many}
	const head, tail = `{"Version":"2012-10-17","Statement":[`, `]}`
	for name, tt := range map[string]struct {
		action responder.Action
		at     where
		want   []string // statements, without head and tail
		says   string
	}{
		"one of each is a text": {needy{now: []responder.Permission{may("iam:GetUser", "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/bob")}},
			where{"aws-cn", "444455556666", ""}, []string{`{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws-cn:iam::444455556666:user/bob"}`}, ""},
		"the narrower first, then all": {needy{ever: []responder.Permission{may("a:B", "*")}, now: []responder.Permission{may("a:B", "x")}}, where{},
			[]string{`{"Effect":"Allow","Action":"a:B","Resource":"x"}`, `{"Effect":"Allow","Action":"a:B","Resource":"*"}`}, ""},
		"the same twice is tried once": {needy{ever: []responder.Permission{may("a:B", "*")}, now: []responder.Permission{may("a:B", "*")}}, where{},
			[]string{`{"Effect":"Allow","Action":"a:B","Resource":"*"}`}, ""},
		"statements of the same resources are one": {needy{ever: []responder.Permission{may("z:Z a:B", "*"), may("c:D", "x y"), may("a:B a:A", "*")}}, where{},
			[]string{`{"Effect":"Allow","Action":["a:A","a:B","z:Z"],"Resource":"*"},{"Effect":"Allow","Action":"c:D","Resource":["x","y"]}`}, ""},
		"conditions keep statements apart": {needy{ever: []responder.Permission{may("ec2:StartInstances", conditional.Resources[0]), conditional}}, where{"aws", "1", "eu-west-3"},
			[]string{`{"Effect":"Allow","Action":"ec2:StartInstances","Resource":"arn:aws:ec2:eu-west-3:1:instance/*"},` +
				`{"Effect":"Allow","Action":"ec2:StopInstances","Resource":"arn:aws:ec2:eu-west-3:1:instance/*","Condition":{"StringEquals":{"aws:SourceAccount":"1","ec2:ResourceTag/a<b":"&"}}}`}, ""},
		"what is global is of any region": {needy{ever: []responder.Permission{may("a:B", "arn:${AWS::Partition}:a:${AWS::Region}::b")}}, where{"aws", "1", ""},
			[]string{`{"Effect":"Allow","Action":"a:B","Resource":"arn:aws:a:*::b"}`}, ""},
		"IAM's own variables stay": {needy{ever: []responder.Permission{may("a:B", "x/${aws:username}")}}, where{},
			[]string{`{"Effect":"Allow","Action":"a:B","Resource":"x/${aws:username}"}`}, ""},
		"what would be too long gives way": {needy{now: []responder.Permission{long}, ever: []responder.Permission{may("a:B", "*")}}, where{"aws", "1", ""},
			[]string{`{"Effect":"Allow","Action":"a:B","Resource":"*"}`}, ""},
		"all is too long":            {needy{ever: []responder.Permission{long}}, where{"aws", "444455556666", ""}, nil, "what Needy needs takes 4064 characters, and a session policy holds 2048"},
		"nothing is needed":          {needy{}, where{}, nil, "Needy names nothing that it needs, so it is given nothing"},
		"a stack's name is no place": {needy{ever: []responder.Permission{may("a:B", "x/${AWS::StackName}-y")}}, where{}, nil, "Needy: its permissions name ${AWS::StackName}, which means nothing in another account"},
	} {
		got, err := policiesFor(tt.action, responder.Call{}, tt.at)
		var permanent *responder.Permanent
		if tt.says != "" && (!errors.As(err, &permanent) || err.Error() != tt.says) || tt.says == "" && err != nil {
			t.Errorf("%s: got %T %v, want %q", name, err, err, tt.says)
		}
		for i := range tt.want {
			tt.want[i] = head + tt.want[i] + tail
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tt.want)
		}
	}
}

// TestEveryActionFitsASession: none that acts in another account could be kept
// from it by the length of what it may ever need, nor by a variable.
func TestEveryActionFitsASession(t *testing.T) {
	for name, action := range New(Deps{}) {
		if action.Spec().Kind == responder.Notice {
			continue
		}
		for _, p := range action.Spec().Permissions {
			if strings.Contains(strings.Join(p.Resources, " "), "${AWS::Region}") {
				t.Errorf("%s names the region of the member role's stack: %v", name, p.Resources)
			}
		}
		text, err := sessionPolicy(action.Spec().Permissions, where{"aws-us-gov", "444455556666", "ap-northeast-1"})
		if err != nil || len(text) > maxSessionPolicy {
			t.Errorf("%s: %d characters of %d, %v", name, len(text), maxSessionPolicy, err)
		}
	}
}

// FuzzSessionPolicy: whatever texts it is made of, a policy reads back as what
// was to be allowed, and allows nothing else.
func FuzzSessionPolicy(f *testing.F) {
	f.Add("iam:GetUser", "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/bob", "aws:ResourceTag/x", "y")
	f.Add("a", `","Effect":"Allow","Action":"*`, `"}`, "\x00\u2028")
	f.Fuzz(func(t *testing.T, action, resource, key, value string) {
		if !utf8.ValidString(strings.Join([]string{action, resource, key, value}, " ")) {
			t.Skip("JSON has no such texts, and neither have the forms of targets")
		}
		want := responder.Permission{Actions: []string{action}, Resources: []string{resource, "arn:x"}, Condition: map[string]map[string]string{"StringEquals": {key: value}}}
		at := where{"aws", "444455556666", "eu-west-3"}
		text, err := sessionPolicy([]responder.Permission{want, want}, at)
		if err != nil {
			return
		}
		var read struct {
			Version   string
			Statement []struct {
				Effect, Action string
				Resource       []string
				Condition      map[string]map[string]string
			}
		}
		if err := json.Unmarshal([]byte(text), &read); err != nil || len(read.Statement) != 1 {
			t.Fatalf("%v: %s", err, text)
		}
		got := read.Statement[0]
		if got.Effect != "Allow" || got.Action != action || !slices.Equal(got.Resource, at.fillIn(want.Resources)) || !reflect.DeepEqual(got.Condition, at.conditions(want.Condition)) {
			t.Errorf("reads back as %+v, want %+v", got, want)
		}
	})
}
