package forwarders_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/forwarders"
)

const (
	templateText = `
Parameters:
  Name: {Type: String, Default: responder}
  Via: {Type: String, Default: api, AllowedValues: [api, bus]}
  Endpoint: {Type: String, Default: ""}
  ApiKey: {Type: String, NoEcho: true, Default: ""}
  BusArn: {Type: String, Default: ""}
  ReadOnlyEvents: {Type: String, Default: "false"}
  FailedCalls: {Type: String, Default: "true"}
Resources:
  Rule: {Type: AWS::Events::Rule, Condition: !Not [x]}
`
	secretKey = "k3y-that-nobody-may-see"
	busARN    = "arn:aws:events:eu-west-1:111122223333:event-bus/responder"
)

func wanted(t testing.TB) forwarders.Wanted {
	t.Helper()
	template, err := forwarders.ReadTemplate(templateText)
	if err != nil {
		t.Fatal(err)
	}
	return forwarders.Wanted{
		Template: template, Home: map[string]string{"Name": "responder", "Unknown": "to this template"},
		Endpoint: "https://home/events", Key: responder.NewSecretText(secretKey), KeyVersion: "version-1", BusARN: busARN,
	}
}

// before are the parameters of a forwarder that was deployed with another key.
func before() map[string]string {
	return map[string]string{"Name": "responder", "Via": "api", "Endpoint": "https://home/events", "ApiKey": "an-older-key", "ReadOnlyEvents": "true", "FailedCalls": "true"}
}

// Each state that a stack can be in, and what deploying does about it.
func TestDeployFromEachState(t *testing.T) {
	const cause = "Connection (AWS::Events::Connection): the quota is reached"
	for _, tt := range []struct {
		state   types.StackStatus // "": none
		coming  types.StackStatus // what it turns into by itself
		ends    map[string][]string
		did     forwarders.Did
		changes string
		note    string
		err     string
	}{
		{did: forwarders.Created, changes: "CreateStack"},
		{ends: map[string][]string{"CreateStack": {"ROLLBACK_COMPLETE"}}, did: forwarders.Failed, changes: "CreateStack", err: cause},
		{state: "CREATE_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "UPDATE_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "UPDATE_FAILED", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "UPDATE_ROLLBACK_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "IMPORT_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "IMPORT_ROLLBACK_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "UPDATE_COMPLETE", ends: map[string][]string{"UpdateStack": {"UPDATE_ROLLBACK_COMPLETE"}}, did: forwarders.Failed, changes: "UpdateStack", err: cause},
		{state: "CREATE_IN_PROGRESS", coming: "CREATE_COMPLETE", did: forwarders.Updated, changes: "UpdateStack", note: "waited"},
		{state: "CREATE_IN_PROGRESS", coming: "ROLLBACK_COMPLETE", did: forwarders.Recreated, changes: "DeleteStack CreateStack", note: "waited for what was under way (CREATE_IN_PROGRESS); deleted first, for it was ROLLBACK_COMPLETE"},
		{state: "ROLLBACK_IN_PROGRESS", coming: "ROLLBACK_FAILED", did: forwarders.Recreated, changes: "DeleteStack CreateStack", note: "deleted first"},
		{state: "UPDATE_IN_PROGRESS", coming: "UPDATE_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", coming: "UPDATE_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "UPDATE_ROLLBACK_IN_PROGRESS", coming: "UPDATE_ROLLBACK_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", coming: "UPDATE_ROLLBACK_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "DELETE_IN_PROGRESS", coming: "DELETE_COMPLETE", did: forwarders.Created, changes: "CreateStack", note: "waited"},
		{state: "DELETE_IN_PROGRESS", coming: "DELETE_FAILED", did: forwarders.Recreated, changes: "DeleteStack CreateStack"},
		{state: "IMPORT_IN_PROGRESS", coming: "IMPORT_COMPLETE", did: forwarders.Updated, changes: "UpdateStack"},
		{state: "REVIEW_IN_PROGRESS", did: forwarders.Recreated, changes: "DeleteStack CreateStack", note: "it was REVIEW_IN_PROGRESS"},
		{state: "ROLLBACK_COMPLETE", did: forwarders.Recreated, changes: "DeleteStack CreateStack", note: "deleted first, for it was ROLLBACK_COMPLETE and could not be updated"},
		{state: "ROLLBACK_FAILED", did: forwarders.Recreated, changes: "DeleteStack CreateStack"},
		{state: "CREATE_FAILED", did: forwarders.Recreated, changes: "DeleteStack CreateStack"},
		{state: "DELETE_FAILED", did: forwarders.Recreated, changes: "DeleteStack CreateStack"},
		{state: "DELETE_FAILED", ends: map[string][]string{"DeleteStack": {"DELETE_FAILED"}}, did: forwarders.Failed, changes: "DeleteStack", err: cause},
		{state: "ROLLBACK_COMPLETE", ends: map[string][]string{"CreateStack": {"ROLLBACK_COMPLETE"}}, did: forwarders.Failed, changes: "DeleteStack CreateStack", err: cause},
		{state: "UPDATE_ROLLBACK_FAILED", did: forwarders.Updated, changes: "ContinueUpdateRollback UpdateStack", note: "its rollback was stuck and was continued"},
		{state: "UPDATE_ROLLBACK_FAILED", ends: map[string][]string{"ContinueUpdateRollback": {"UPDATE_ROLLBACK_FAILED"}}, did: forwarders.Failed, changes: "ContinueUpdateRollback", err: "the quota is reached"},
		{state: "DREAMING", did: forwarders.Failed, err: "the stack is DREAMING, which this version does not know"},
	} {
		t.Run(fmt.Sprintf("%s %s %v", tt.state, tt.coming, tt.ends), func(t *testing.T) {
			c := newCloud("eu-west-1")
			r := c.regions["eu-west-1"]
			if tt.state != "" {
				r.has(tt.state, before())
			}
			if tt.coming != "" {
				r.coming = []types.StackStatus{tt.state, tt.state, tt.coming}
			}
			if tt.ends != nil {
				r.ends = tt.ends
			}
			results, err := c.fleet().Deploy(t.Context(), c.names(), wanted(t))
			got := one(t, results, err)
			if got.Did != tt.did || strings.Join(r.changes(), " ") != tt.changes || !strings.Contains(got.Note, tt.note) {
				t.Errorf("%s by %v, note %q, %v; want %s by %q, note %q", got.Did, r.changes(), got.Note, got.Err, tt.did, tt.changes, tt.note)
			}
			if (tt.err != "") != (got.Err != nil) || got.Err != nil && !strings.Contains(got.Err.Error(), tt.err) {
				t.Errorf("error %v, want %q", got.Err, tt.err)
			}
			if forwarders.Fine(results) == (tt.err != "") {
				t.Errorf("Fine is %v", forwarders.Fine(results))
			}
			if tt.err == "" && (r.parameters["ApiKey"] != secretKey || r.template != templateText) {
				t.Errorf("it has the key %q", r.parameters["ApiKey"])
			}
			// What is left undone, doing it again does; and then nothing is left to do.
			for i, want := range []forwarders.Did{"", forwarders.Unchanged} {
				results, err = c.fleet().Deploy(t.Context(), c.names(), wanted(t))
				if got := one(t, results, err); tt.state != "DREAMING" && (!forwarders.Fine(results) || want != "" && got.Did != want) {
					t.Errorf("run again, %d: %s: %v; want it done", i+1, got.Did, got.Err)
				}
			}
		})
	}
}

func TestDeployParameters(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before map[string]string
		state  types.StackStatus // "": CREATE_COMPLETE
		change func(*forwarders.Wanted)
		want   map[string]string
		err    string
	}{
		{name: "new",
			want: map[string]string{"Name": "responder", "Via": "api", "Endpoint": "https://home/events", "ApiKey": secretKey, "ReadOnlyEvents": "false", "FailedCalls": "true"}},
		{name: "what is not said stays", before: before(),
			want: map[string]string{"Name": "responder", "Via": "api", "Endpoint": "https://home/events", "ApiKey": secretKey, "ReadOnlyEvents": "true", "FailedCalls": "true"}},
		{name: "what is said counts", before: before(), change: func(w *forwarders.Wanted) {
			w.Said = map[string]string{"ReadOnlyEvents": "false", "FailedCalls": "false"}
		},
			want: map[string]string{"Name": "responder", "Via": "api", "Endpoint": "https://home/events", "ApiKey": secretKey, "ReadOnlyEvents": "false", "FailedCalls": "false"}},
		{name: "by the bus, without a key", before: before(), change: func(w *forwarders.Wanted) { w.Said = map[string]string{"Via": "bus"} },
			want: map[string]string{"Name": "responder", "Via": "bus", "BusArn": busARN, "ReadOnlyEvents": "true", "FailedCalls": "true"}},
		{name: "a new one is like the others", change: func(w *forwarders.Wanted) { w.Common = map[string]string{"Via": "bus"} },
			want: map[string]string{"Name": "responder", "Via": "bus", "BusArn": busARN, "ReadOnlyEvents": "false", "FailedCalls": "true"}},
		{name: "one that is created again is like itself", before: map[string]string{"Via": "bus", "ReadOnlyEvents": "true", "FailedCalls": "false"}, state: "ROLLBACK_COMPLETE",
			want: map[string]string{"Name": "responder", "Via": "bus", "BusArn": busARN, "ReadOnlyEvents": "true", "FailedCalls": "false"}},
		{name: "no bus", change: func(w *forwarders.Wanted) { w.Said, w.BusARN = map[string]string{"Via": "bus"}, "" }, err: "the stack has none"},
		{name: "no key", change: func(w *forwarders.Wanted) { w.Key = responder.SecretText{} }, err: "no key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCloud("eu-west-1")
			r := c.regions["eu-west-1"]
			if tt.before != nil {
				r.has(cmp.Or(tt.state, "CREATE_COMPLETE"), tt.before, types.Tag{Key: aws.String("cost-centre"), Value: aws.String("7")})
			}
			want := wanted(t)
			if tt.change != nil {
				tt.change(&want)
			}
			results, err := c.fleet().Deploy(t.Context(), c.names(), want)
			got := one(t, results, err)
			if tt.err != "" {
				if got.Err == nil || !strings.Contains(got.Err.Error(), tt.err) || len(r.changes()) > 0 {
					t.Errorf("%v by %v, want %q", got.Err, r.changes(), tt.err)
				}
				return
			}
			if got.Err != nil || fmt.Sprint(r.parameters) != fmt.Sprint(tt.want) {
				t.Errorf("%v, parameters\n%v, want\n%v", got.Err, r.parameters, tt.want)
			}
			tags := tagsOf(r.stack.Tags)
			if tags["responder:template"] != want.Template.Digest || (tags["responder:key"] == "version-1") != (tt.want["Via"] == "api") {
				t.Errorf("tags %v", tags)
			}
			if tt.before != nil && tt.state == "" && tags["cost-centre"] != "7" {
				t.Errorf("others' tags are gone: %v", tags)
			}
		})
	}
}

func TestRotatedKeyIsAnUpdate(t *testing.T) {
	c := newCloud("eu-west-1", "us-east-1")
	deploy := func(key, version string) []forwarders.Did {
		want := wanted(t)
		want.Key, want.KeyVersion = responder.NewSecretText(key), version
		results, err := c.fleet().Deploy(t.Context(), c.names(), want)
		if err != nil {
			t.Fatal(err)
		}
		var did []forwarders.Did
		for _, r := range results {
			did = append(did, r.Did)
			if got := c.regions[r.Region].parameters["ApiKey"]; got != key || r.Stack.KeyVersion != version {
				t.Errorf("%s has key %q of %q", r.Region, got, r.Stack.KeyVersion)
			}
		}
		return did
	}
	for i, step := range []struct {
		key, version string
		did          forwarders.Did
	}{
		{"key-1", "v1", forwarders.Created},
		{"key-1", "v1", forwarders.Unchanged},
		{"key-2", "v2", forwarders.Updated},
		{"key-2", "v3", forwarders.Updated}, // the same text in a new version: what status shows must be true
		{"key-2", "v3", forwarders.Unchanged},
	} {
		if did := deploy(step.key, step.version); did[0] != step.did || did[1] != step.did {
			t.Errorf("step %d: %v, want %s", i, did, step.did)
		}
	}
}

func TestOneRegionsFailureIsItsOwn(t *testing.T) {
	for _, tt := range []struct{ code, message, want string }{
		{"AccessDenied", "User: x is not authorized to perform: cloudformation:DescribeStacks with an explicit deny in a service control policy", "a service control policy of the organization denies it: leave the region out"},
		{"AccessDenied", "User: x is not authorized to perform: cloudformation:DescribeStacks", "no permission in this region: AccessDenied: User: x"},
		{"OptInRequired", "You are not subscribed to this service", "is it enabled in this account?"},
		{"UnrecognizedClientException", "The security token included in the request is invalid.", "is it enabled in this account?"},
		{"InvalidClientTokenId", "The security token included in the request is invalid.", "is it enabled in this account?"},
		{"InternalFailure", "sorry", "InternalFailure: sorry"},
		{"ValidationError", "Template error: " + secretKey, "Template error: [redacted]"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			c := newCloud("ap-south-1", "eu-west-1", "us-east-1")
			c.regions["eu-west-1"].fail["DescribeStacks"] = []error{refusal(tt.code, tt.message)}
			results, err := c.fleet().Deploy(t.Context(), c.names(), wanted(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if r.Region != "eu-west-1" && r.Did != forwarders.Created {
					t.Errorf("%s: %s, %v", r.Region, r.Did, r.Err)
				}
			}
			if r := results[1]; r.Region != "eu-west-1" || r.Did != forwarders.Failed || !strings.Contains(r.Err.Error(), tt.want) {
				t.Errorf("%s: %s, %v; want %q", r.Region, r.Did, r.Err, tt.want)
			}
			results, err = c.fleet().Deploy(t.Context(), c.names(), wanted(t))
			if err != nil || !forwarders.Fine(results) || results[1].Did != forwarders.Created || results[0].Did != forwarders.Unchanged {
				t.Errorf("run again: %v, %v", results, err)
			}
		})
	}
}

func TestExpiredCredentialsEndAllAtOnce(t *testing.T) {
	c := newCloud("a", "b", "c", "d", "e", "f")
	for _, r := range c.regions {
		r.fail["DescribeStacks"] = slices.Repeat([]error{nil}, 2)
		r.fail["DescribeStacks"] = append(r.fail["DescribeStacks"], refusal("ExpiredToken", "The security token included in the request is expired"))
	}
	fleet := c.fleet()
	fleet.Parallel = 2
	results, err := fleet.Deploy(t.Context(), c.names(), wanted(t))
	if err == nil || !strings.Contains(err.Error(), "the AWS credentials have expired: sign in again") {
		t.Fatalf("error %v", err)
	}
	did := map[forwarders.Did]int{}
	for _, r := range results {
		if did[r.Did]++; r.Err != nil {
			t.Errorf("%s says it once more: %v", r.Region, r.Err)
		}
	}
	if did[forwarders.UnderWay] < 1 || did[forwarders.UnderWay] > 2 || did[forwarders.NotBegun]+did[forwarders.UnderWay] != 6 || forwarders.Fine(results) {
		t.Errorf("%v", did)
	}
	for _, r := range c.regions {
		r.fail = map[string][]error{}
	}
	results, err = c.fleet().Deploy(t.Context(), c.names(), wanted(t))
	if err != nil || !forwarders.Fine(results) {
		t.Errorf("signed in again: %v, %v", results, err)
	}
}

func TestInterrupted(t *testing.T) {
	c := newCloud("a", "b", "c", "d")
	ctx, cancel := context.WithCancel(t.Context())
	c.onSleep = cancel
	fleet := c.fleet()
	fleet.Parallel = 1
	results, err := fleet.Deploy(ctx, c.names(), wanted(t))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if r := results[0]; r.Did != forwarders.UnderWay || r.Err != nil || !strings.Contains(r.Note, "takes it up") || r.Stack.State != "CREATE_IN_PROGRESS" {
		t.Errorf("%+v", r)
	}
	for _, r := range results[1:] {
		if r.Did != forwarders.NotBegun || len(c.regions[r.Region].calls) > 0 {
			t.Errorf("%+v after %v", r, c.regions[r.Region].calls)
		}
	}
	c.onSleep = nil
	results, err = c.fleet().Deploy(t.Context(), c.names(), wanted(t))
	if err != nil || !forwarders.Fine(results) || results[0].Did != forwarders.Unchanged || results[1].Did != forwarders.Created {
		t.Errorf("run again: %+v, %v", results, err)
	}
}

func TestThrottled(t *testing.T) {
	throttled := refusal("Throttling", "Rate exceeded")
	c := newCloud("eu-west-1")
	r := c.regions["eu-west-1"]
	r.fail["DescribeStacks"] = slices.Repeat([]error{throttled}, 5)
	r.fail["CreateStack"] = slices.Repeat([]error{throttled}, 5)
	began := c.now
	results, err := c.fleet().Deploy(t.Context(), c.names(), wanted(t))
	if got := one(t, results, err); got.Did != forwarders.Created {
		t.Errorf("%s: %v", got.Did, got.Err)
	}
	if waited := c.now.Sub(began); waited < 2*time.Minute || waited > 3*time.Minute {
		t.Errorf("waited %v", waited)
	}
	r.fail["DescribeStacks"] = slices.Repeat([]error{throttled}, 6)
	results, err = c.fleet().Deploy(t.Context(), c.names(), wanted(t))
	if got := one(t, results, err); got.Did != forwarders.Failed || !strings.Contains(got.Err.Error(), "Rate exceeded") {
		t.Errorf("%s: %v, want it to give up", got.Did, got.Err)
	}
}

func TestLostReplies(t *testing.T) {
	c := newCloud("eu-west-1")
	r := c.regions["eu-west-1"]
	r.fail["CreateStack"] = []error{&types.AlreadyExistsException{Message: aws.String("already exists")}}
	r.fail["DescribeStacks"] = []error{validation("Stack with id %s does not exist", stackName)}
	r.has("CREATE_IN_PROGRESS", before())
	r.coming = []types.StackStatus{"CREATE_IN_PROGRESS", "CREATE_COMPLETE"}
	r.fail["UpdateStack"] = []error{validation("Stack:x is in UPDATE_IN_PROGRESS state and can not be updated.")}
	results, err := c.fleet().Deploy(t.Context(), c.names(), wanted(t))
	if got := one(t, results, err); got.Did != forwarders.Updated || strings.Join(r.changes(), " ") != "CreateStack UpdateStack UpdateStack" {
		t.Errorf("%s by %v: %v", got.Did, r.changes(), got.Err)
	}
}

func TestWaitingEnds(t *testing.T) {
	c := newCloud("eu-west-1")
	r := c.regions["eu-west-1"]
	r.has("UPDATE_IN_PROGRESS", before())
	results, err := c.fleet().Deploy(t.Context(), c.names(), wanted(t))
	if got := one(t, results, err); got.Did != forwarders.Failed || !strings.Contains(got.Err.Error(), "still UPDATE_IN_PROGRESS after 30m0s: run the command again") {
		t.Errorf("%s: %v", got.Did, got.Err)
	}
}

func TestSomebodyElseAtWork(t *testing.T) {
	c := newCloud("eu-west-1")
	r := c.regions["eu-west-1"]
	r.has("CREATE_COMPLETE", before())
	r.fail["UpdateStack"] = slices.Repeat([]error{validation("Stack:x is in UPDATE_IN_PROGRESS state and can not be updated.")}, 20)
	results, err := c.fleet().Deploy(t.Context(), c.names(), wanted(t))
	if got := one(t, results, err); got.Did != forwarders.Failed || !strings.Contains(got.Err.Error(), "somebody else changes the stack") {
		t.Errorf("%s: %v", got.Did, got.Err)
	}
}

func TestProgressAndParallelism(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	c := newCloud(names...)
	fleet := c.fleet()
	fleet.Parallel = 3
	var seen []string
	busy := map[string]bool{}
	most := 0
	fleet.Progress = func(r forwarders.Result) { // one at a time: the race detector would tell
		seen = append(seen, r.Region+" "+string(r.Stack.State)+" "+string(r.Did))
		if busy[r.Region] = r.Did == forwarders.NotBegun; !busy[r.Region] {
			delete(busy, r.Region)
		}
		most = max(most, len(busy))
	}
	if _, err := fleet.Deploy(t.Context(), names, wanted(t)); err != nil {
		t.Fatal(err)
	}
	if most > 3 {
		t.Errorf("%d at a time, want 3", most)
	}
	for _, name := range names {
		for _, want := range []string{" CREATE_IN_PROGRESS notbegun", " CREATE_COMPLETE notbegun", " CREATE_COMPLETE created"} {
			if !slices.Contains(seen, name+want) {
				t.Errorf("nothing told of %q: %q", name+want, seen)
			}
		}
	}
}
