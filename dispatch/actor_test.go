package dispatch

import (
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// TestActors: who caused an event is known by whatever it says of them.
func TestActors(t *testing.T) {
	people := map[string]person{"bob": {slack: []string{bobs}, iam: []string{"arn:aws:iam::123412341234:user/bob"}, names: []string{"bob@corp.example", "906af9e2-3061-7039-1c7e-d5e2a1b3c4d5"}}}
	const guardDuty = `{"source":"aws.guardduty","account":"123412341234","detail":{"partition":"aws","resource":{"accessKeyDetails":`
	trail := func(identity string) string {
		return `{"source":"aws.iam","account":"123412341234","detail":{"userIdentity":` + identity + `}}`
	}
	for name, tt := range map[string]struct {
		event string
		bob   bool // is known to be bob
		known bool
	}{
		"a user":                          {trail(`{"type":"IAMUser","arn":"arn:aws:iam::123412341234:user/bob","userName":"bob"}`), true, true},
		"a source identity":               {trail(`{"type":"AssumedRole","arn":"arn:aws:sts::123412341234:assumed-role/Second/x","sessionContext":{"sourceIdentity":"bob@corp.example"}}`), true, true},
		"on behalf of":                    {trail(`{"type":"IdentityCenterUser","accountId":"123412341234","onBehalfOf":{"userId":"906af9e2-3061-7039-1c7e-d5e2a1b3c4d5","identityStoreArn":"arn:aws:identitystore::123412341234:identitystore/d-1"}}`), true, true},
		"a session of another account":    {trail(`{"type":"AWSAccount","accountId":"999999999999","principalId":"AROAEXAMPLE:bob"}`), true, true},
		"a user of another account":       {trail(`{"type":"AWSAccount","accountId":"999999999999","principalId":"AIDAEXAMPLE"}`), false, false},
		"a service":                       {trail(`{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}`), false, false},
		"somebody else":                   {trail(`{"type":"IAMUser","arn":"arn:aws:iam::123412341234:user/ann","userName":"ann"}`), false, true},
		"nothing said":                    {`{"source":"mine","account":"123412341234","detail":{}}`, false, false},
		"GuardDuty, a user":               {guardDuty + `{"userType":"IAMUser","userName":"bob","principalId":"AIDAEXAMPLE","accessKeyId":"AKIAEXAMPLE"}}}}`, true, true},
		"GuardDuty, a session":            {guardDuty + `{"userType":"AssumedRole","userName":"Admin","principalId":"AROAEXAMPLE:bob@corp.example"}}}}`, true, true},
		"GuardDuty, a role":               {guardDuty + `{"userType":"Role","userName":"bob","principalId":"AROAEXAMPLE"}}}}`, false, true},
		"GuardDuty, root":                 {guardDuty + `{"userType":"Root","userName":"Root","principalId":"123412341234"}}}}`, false, true},
		"GuardDuty, an instance":          {`{"source":"aws.guardduty","account":"123412341234","detail":{"partition":"aws","resource":{"instanceDetails":{"instanceId":"i-1"}}}}`, false, false},
		"what others say like GuardDuty":  {strings.Replace(guardDuty, "aws.guardduty", "mine", 1) + `{"userType":"IAMUser","userName":"bob"}}}}`, false, false},
		"an odd kind of key":              {guardDuty + `{"userType":"FederatedUser","userName":"bob"}}}}`, true, true},
		"an access key without its owner": {guardDuty + `{"accessKeyId":"AKIAEXAMPLE"}}}}`, false, false},
	} {
		event, err := responder.DecodeEvent([]byte(tt.event))
		if err != nil {
			t.Fatal(err)
		}
		b := actorOf(event, people)
		if got := isBarred(slackUser(bobs), b); got != tt.bob {
			t.Errorf("%s: bob is barred: %v by %+v", name, got, b)
		}
		if got := withActor("Delete?", b) == "Delete?"; got != tt.known {
			t.Errorf("%s: known: %v, %+v", name, got, b)
		}
	}
	event, err := responder.DecodeEvent([]byte(guardDuty + `{"userType":"Role","userName":"Admin"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if b := actorOf(event, nil); !isBarred(caller("arn:aws:sts::123412341234:assumed-role/Admin/ann"), b) || isBarred(caller("arn:aws:sts::123412341234:assumed-role/Oncall/ann"), b) {
		t.Errorf("%+v", b)
	}
}

// TestUnknownActor: a question says that nobody is kept from deciding.
func TestUnknownActor(t *testing.T) {
	w := newWorld(t, askingFlow)
	f := w.finding("UnauthorizedInstanceCreated")
	f.Event = []byte(strings.Replace(string(f.Event), "userIdentity", "nobody", 1))
	w.send(f)
	d := w.dispatcher()
	w.turn(d)
	w.turn(d)
	run := w.get("asking")
	if a := run.Steps["0"].Approval; !strings.HasSuffix(a.Text, actorUnknown) || !strings.Contains(strings.Join(w.did(), ""), actorUnknown) {
		t.Errorf("%s; %q", a.Text, w.did())
	}
	if err := w.decide(run, answerTo(run, true, slackUser(bobs))); err != nil {
		t.Error(err)
	}
}
