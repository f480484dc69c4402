package actions_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// wireSSM speaks as Systems Manager does, on loopback, for the emulators start no
// runbook: documents by name, executions by token, found by the keys of their tags.
type wireSSM struct {
	t         *testing.T
	mu        sync.Mutex
	documents map[string]map[string]any // name → the document
	started   []*wireExecution
	calls     []string
	denied    map[string]bool // operations
	broken    map[string]bool // that answer 500
	lost      bool            // what is started is, and its answer is not sent
	unseen    bool            // executions are not found by their tags yet
	regions   []string
}

type wireExecution struct {
	ID, Token, Document, Version, Status, Failure string
	Parameters                                    map[string][]string
	Tags                                          map[string]string
}

func newWireSSM(t *testing.T) *wireSSM {
	return &wireSSM{t: t, denied: map[string]bool{}, broken: map[string]bool{}, documents: map[string]map[string]any{
		contain:                  {"Name": contain, "Owner": "Amazon", "DocumentType": "Automation", "DocumentVersion": "7"},
		"responder-action-evict": {"Name": "responder-action-evict", "Owner": account, "DocumentType": "Automation", "DocumentVersion": "2", "Tags": []any{map[string]string{"Key": "team", "Value": "red"}}},
		sharedRunbook:            {"Name": sharedRunbook, "Owner": "999988887777", "DocumentType": "Automation", "DocumentVersion": "1"},
		"AWS-RunShellScript":     {"Name": "AWS-RunShellScript", "Owner": "Amazon", "DocumentType": "Command", "DocumentVersion": "1"},
	}}
}

const (
	contain       = "AWSSupport-ContainEC2Instance"
	sharedRunbook = "arn:aws:ssm:eu-west-3:999988887777:document/Evict"
)

// catalogue asks it by the SDK's own clients, which try twice.
func (s *wireSSM) catalogue(members actions.Members) responder.Catalogue {
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)
	return actions.New(actions.Deps{Members: members, AWS: actions.LazyAWS(
		config.WithRegion("us-east-1"), config.WithBaseEndpoint(server.URL), config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")),
		config.WithRetryer(func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }),
	)})
}

var credentialScope = regexp.MustCompile(`Credential=[^/]+/[0-9]+/([a-z0-9-]+)/([a-z]+)/`)

func (s *wireSSM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	scope := credentialScope.FindStringSubmatch(r.Header.Get("Authorization"))
	if err != nil || scope == nil {
		s.t.Errorf("%s, %v", r.Header.Get("Authorization"), err)
		return
	}
	if scope[2] == "sts" {
		fmt.Fprintf(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::%s:role/r</Arn><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>", account, account)
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "AmazonSSM.")
	s.calls, s.regions = append(s.calls, "ssm:"+operation), append(s.regions, scope[1])
	answer, code := s.answer(operation, body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch {
	case code == "lost":
		panic(http.ErrAbortHandler)
	case code == "InternalServerError":
		w.WriteHeader(http.StatusInternalServerError)
	case code != "":
		w.WriteHeader(http.StatusBadRequest)
	}
	if code != "" {
		answer = map[string]string{"__type": code, "Message": "no"}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.t.Error(err)
	}
}

func (s *wireSSM) answer(operation string, body []byte) (answer any, code string) {
	var in struct {
		Name, DocumentName, DocumentVersion, ClientToken, AutomationExecutionId string
		Parameters                                                              map[string][]string
		Tags                                                                    []struct{ Key, Value string }
		Filters                                                                 []struct {
			Key    string
			Values []string
		}
	}
	switch err := json.Unmarshal(body, &in); {
	case err != nil:
		return nil, "SerializationException"
	case s.denied[operation]:
		return nil, "AccessDeniedException"
	case s.broken[operation]:
		return nil, "InternalServerError"
	}
	switch operation {
	case "DescribeDocument":
		if d, ok := s.documents[in.Name]; ok {
			return map[string]any{"Document": d}, ""
		}
		return nil, "InvalidDocument"
	case "StartAutomationExecution":
		return s.start(&wireExecution{Token: in.ClientToken, Document: in.DocumentName, Version: in.DocumentVersion, Parameters: in.Parameters, Status: "InProgress"}, in.Tags)
	case "DescribeAutomationExecutions":
		if len(in.Filters) != 1 || in.Filters[0].Key != "TagKey" {
			return nil, "InvalidFilterKey"
		}
		found := []any{}
		for _, e := range s.started {
			if _, tagged := e.Tags[in.Filters[0].Values[0]]; tagged && !s.unseen {
				found = append(found, map[string]any{"AutomationExecutionId": e.ID, "AutomationExecutionStatus": e.Status, "FailureMessage": e.Failure})
			}
		}
		return map[string]any{"AutomationExecutionMetadataList": found}, ""
	case "GetAutomationExecution":
		for _, e := range s.started {
			if e.ID == in.AutomationExecutionId {
				return map[string]any{"AutomationExecution": map[string]any{"AutomationExecutionId": e.ID, "AutomationExecutionStatus": e.Status, "FailureMessage": e.Failure}}, ""
			}
		}
		return nil, "AutomationExecutionNotFoundException"
	}
	return nil, "UnknownOperationException"
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// start starts an execution once a token.
func (s *wireSSM) start(e *wireExecution, tags []struct{ Key, Value string }) (any, string) {
	if _, ok := s.documents[e.Document]; !ok {
		return nil, "AutomationDefinitionNotFoundException"
	}
	if !uuid.MatchString(e.Token) || len(tags) > 5 {
		return nil, "ValidationException"
	}
	id := ""
	for _, known := range s.started {
		if known.Token != e.Token {
			continue
		}
		if known.Document != e.Document || !maps.EqualFunc(known.Parameters, e.Parameters, slices.Equal) {
			return nil, "IdempotentParameterMismatch"
		}
		id = known.ID
	}
	if id == "" {
		e.ID, e.Tags = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(s.started)+1), map[string]string{}
		for _, tag := range tags {
			e.Tags[tag.Key] = tag.Value
		}
		s.started, id = append(s.started, e), e.ID
	}
	if s.lost {
		return nil, "lost"
	}
	return map[string]string{"AutomationExecutionId": id}, ""
}

// end ends all executions.
func (s *wireSSM) end(status, why string) {
	for _, e := range s.started {
		e.Status, e.Failure = status, why
	}
}

func runbookCall(more map[string]any) responder.Call {
	call := repairCall(map[string]any{
		"document": contain, "role": "responder-action-containment",
		"parameters": []any{"InstanceId=" + one}, "settings": []any{"Action=Contain", "BackupS3BucketName=the-backups", "Note=a b"},
	})
	call.Region = "eu-west-3"
	maps.Copy(call.Params, more)
	maps.DeleteFunc(call.Params, func(_ string, v any) bool { return v == nil })
	return call
}

// TestSSMAutomationOnTheWire starts AWS's containment runbook as the SDK does.
func TestSSMAutomationOnTheWire(t *testing.T) {
	s := newWireSSM(t)
	catalogue := s.catalogue(actions.Members{})
	call := runbookCall(nil)
	world := func() any {
		var all []wireExecution
		for _, e := range s.started {
			all = append(all, *e)
		}
		return all
	}
	found, result := doAndUndo(t, catalogue, "SSMAutomation", call, world)
	if want := (responder.Survey{
		Targets: []responder.Target{
			{ARN: "arn:aws:ssm:eu-west-3::document/" + contain, Account: account, Region: "eu-west-3", Static: true},
			{ARN: "arn:aws:ec2:eu-west-3:" + account + ":instance/" + one, Account: account, Region: "eu-west-3", TagsUnknown: true},
		},
		Found:   map[string]any{"document": contain, "version": "7"},
		Lasting: []string{"whatever the runbook does"},
	}); !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v", found)
	}
	if len(s.started) != 1 || result["execution"] != s.started[0].ID || result["document"] != contain {
		t.Fatalf("started %v, did %v", s.started, result)
	}
	e := s.started[0]
	wanted := map[string][]string{"InstanceId": {one}, "Action": {"Contain"}, "BackupS3BucketName": {"the-backups"}, "Note": {"a b"},
		"AutomationAssumeRole": {"arn:aws:iam::" + account + ":role/responder-action-containment"}}
	if !maps.EqualFunc(e.Parameters, wanted, slices.Equal) || e.Version != "" || len(e.Tags) != 1 {
		t.Errorf("started %+v", e)
	}
	for _, region := range s.regions {
		if region != "eu-west-3" {
			t.Errorf("asked in %s", region)
		}
	}
	checkNeeds(t, catalogue["SSMAutomation"], call, append(s.calls, "ssm:AddTagsToResource", "iam:PassRole")) // the two that a start needs besides

	// Another step, another execution.
	call.Key = "r/2"
	if result, err := catalogue["SSMAutomation"].Do(t.Context(), call); err != nil || len(s.started) != 2 || result["execution"] != s.started[1].ID {
		t.Errorf("another step: %v, %v", result, err)
	}
}

// executions are those that were started.
func (s *wireSSM) executions() []*wireExecution {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.started)
}

// TestSSMAutomationStartsOnce: whatever becomes of answers, a step has one execution.
func TestSSMAutomationStartsOnce(t *testing.T) {
	for name, prepare := range map[string]func(*wireSSM){
		"an answer is lost":            func(s *wireSSM) { s.lost = true },
		"and it is not to be seen yet": func(s *wireSSM) { s.lost, s.unseen = true, true },
	} {
		s := newWireSSM(t)
		prepare(s)
		repair := s.catalogue(actions.Members{})["SSMAutomation"]
		_, err := repair.Do(t.Context(), runbookCall(nil))
		if n := len(s.executions()); !isUnknown(err) || n != 1 { // the other side may be at it still
			t.Fatalf("%s: %v, %d started", name, err, n)
		}
		want := responder.VerdictDone
		if s.unseen {
			want = responder.VerdictNotDone
		}
		if verdict, err := verify(t, repair, runbookCall(nil)); verdict != want || err != nil {
			t.Errorf("%s: verified as %v, %v", name, verdict, err)
		}
		s.mu.Lock()
		s.lost = false
		s.mu.Unlock()
		if result, err := repair.Do(t.Context(), runbookCall(nil)); err != nil || len(s.executions()) != 1 || result["execution"] != s.started[0].ID || (result["already"] == true) == s.unseen {
			t.Errorf("%s: again: %v, %v, %d started", name, result, err, len(s.started))
		}
	}
}

// TestSSMAutomationOutcomes: what Systems Manager says, and what it means.
func TestSSMAutomationOutcomes(t *testing.T) {
	for status, want := range map[string]responder.Verdict{
		"Pending": responder.VerdictDone, "InProgress": responder.VerdictDone, "Waiting": responder.VerdictDone, "Success": responder.VerdictDone, "Cancelling": responder.VerdictDone,
		"Failed": responder.VerdictNotDone, "TimedOut": responder.VerdictNotDone, "Cancelled": responder.VerdictNotDone, "Rejected": responder.VerdictNotDone, "CompletedWithFailure": responder.VerdictNotDone,
	} {
		s := newWireSSM(t)
		catalogue := s.catalogue(actions.Members{})
		repair, check := catalogue["SSMAutomation"], catalogue["SSMAutomationSucceeded"]
		must[responder.Result](t)(repair.Do(t.Context(), runbookCall(nil)))
		s.end(status, "Step \x1b[31mdescribe\n failed")
		if verdict, err := verify(t, repair, runbookCall(nil)); verdict != want || err != nil {
			t.Errorf("%s: verified as %v, %v", status, verdict, err)
		}
		_, err := repair.Do(t.Context(), runbookCall(nil))
		failed := want == responder.VerdictNotDone
		if failed != isPermanent(err) || len(s.started) != 1 || failed && !strings.Contains(err.Error(), "execution "+s.started[0].ID+" has ended as "+status+": Step describe failed; the run, made again, starts another") {
			t.Errorf("%s: again: %v, %d started", status, err, len(s.started))
		}
		call := runbookCall(nil)
		call.Params = map[string]any{"execution": s.started[0].ID}
		result, err := check.Do(t.Context(), call)
		switch {
		case status == "Success":
			if err != nil || result["status"] != status {
				t.Errorf("%s: checked as %v, %v", status, result, err)
			}
		case failed != isPermanent(err), !failed && !isTransient(err):
			t.Errorf("%s: checked as %v, %v", status, result, err)
		}
		checkNeeds(t, check, call, []string{"ssm:GetAutomationExecution"})
	}
	for operation, does := range map[string]bool{"DescribeAutomationExecutions": false, "StartAutomationExecution": true} {
		s := newWireSSM(t)
		repair := s.catalogue(actions.Members{})["SSMAutomation"]
		s.denied[operation] = true
		if _, err := repair.Do(t.Context(), runbookCall(nil)); !failsAsPermanentNaming(err, "ssm:"+operation+": AccessDenied") || len(s.started) > 0 {
			t.Errorf("%s denied: %v", operation, err)
		}
		s.denied[operation], s.broken[operation] = false, true
		if _, err := repair.Do(t.Context(), runbookCall(nil)); does != isUnknown(err) || !does && !isTransient(err) {
			t.Errorf("%s broken: %v", operation, err)
		}
	}
	s := newWireSSM(t)
	repair := s.catalogue(actions.Members{})["SSMAutomation"]
	for name, tt := range map[string]struct {
		more map[string]any
		says string
	}{
		"no such runbook": {map[string]any{"document": "responder-action-gone"}, "there is no runbook arn:aws:ssm:eu-west-3:" + account + ":document/responder-action-gone"},
		"no runbook":      {map[string]any{"document": "AWS-RunShellScript"}, "is no runbook, but a document of type Command"},
	} {
		if _, err := survey(t, repair, runbookCall(tt.more)); !isPermanent(err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := repair.Do(t.Context(), runbookCall(map[string]any{"document": "responder-action-gone"})); !failsAsPermanentNaming(err, "AutomationDefinitionNotFound") {
		t.Errorf("no such runbook: %v", err)
	}
}
