package stacktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/ingest"
)

// What the stack's secrets hold.
const (
	botToken = "xoxb-a-bot-of-tests"
	signing  = "8f742231b10e8888abcd99yyyzzz85a5"
)

// asking is the stack whose flow asks, with Slack beside it.
type asking struct {
	*deployed
	slack *slack
	proxy string // the address of a proxy to Slack and to the API
}

// TestApprovals: what people decide comes through API Gateway to the deployed
// function, and the run goes on by it; and what others send comes to nothing.
func TestApprovals(t *testing.T) {
	t.Parallel()
	a := &asking{deployed: find(t, liveVariable)}
	a.slack = listenSlack(t, os.Getenv(slackVariable))
	api, err := url.Parse(a.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	there, err := url.Parse(os.Getenv(slackVariable))
	if err != nil {
		t.Fatal(err)
	}
	a.proxy = "http://" + serve(t, "127.0.0.1:0", proxy{slack: "127.0.0.1:" + there.Port(), api: api.Host}, false)
	a.secrets(t)
	a.answerBy(t, a.proxy)
	for name, test := range map[string]func(*testing.T, *asking){
		"clicked": testClicked, "cancelled": testCancelledFirst, "changed": testChanged, "by IAM": testByIAM,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, a)
		})
	}
}

// secrets puts what Slack signs with, and the bot's token, where the functions look.
func (a *asking) secrets(t *testing.T) {
	t.Helper()
	store := awssecrets.NewFromConfig(a.root)
	for name, text := range map[string]string{"slack-signing": signing, "slack-bot": botToken} {
		if _, err := store.CreateSecret(t.Context(), &awssecrets.CreateSecretInput{Name: aws.String(a.Name + "/" + name), SecretString: &text}); err != nil && !strings.Contains(err.Error(), "ResourceExists") {
			t.Fatal(err)
		}
	}
}

// answerBy has the deployed function answer to clicks by a proxy: to Slack's own
// hosts it would go otherwise.
func (a *asking) answerBy(t *testing.T, proxy string) {
	t.Helper()
	functions, name := awslambda.NewFromConfig(a.root), aws.String(a.Name+"-approve")
	is, err := functions.GetFunctionConfiguration(t.Context(), &awslambda.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	variables := maps.Clone(is.Environment.Variables)
	variables["OUTBOUND_PROXY"] = proxy
	if _, err := functions.UpdateFunctionConfiguration(t.Context(), &awslambda.UpdateFunctionConfigurationInput{FunctionName: name, Environment: &lambdatypes.Environment{Variables: variables}}); err != nil {
		t.Fatal(err)
	}
}

// asked makes a user whom the flow asks about, and gives the run once it asks, and
// who the user is.
func (a *asking) asked(t *testing.T, name string) (run *responder.Run, user string) {
	t.Helper()
	user = fmt.Sprintf("asked-%s-%08x", name, rand.Uint32())
	made, err := iam.NewFromConfig(a.root).CreateUser(t.Context(), &iam.CreateUserInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	element := a.userCreated(t, a.Account, made.User)
	element = with(t, element, "detail.eventID", user)
	event, err := ingest.Normalise(element)
	if err != nil {
		t.Fatal(err)
	}
	findings, _ := a.definitions.Rules.Evaluate(event)
	if len(findings) != 1 {
		t.Fatalf("the event gives %v", findings)
	}
	if status, answer := a.post(t, a.key, element); status != http.StatusAccepted {
		t.Fatalf("the event is answered %d %s", status, answer)
	}
	id := findings[0].RunID("Asked")
	a.await(t, id, responder.RunAwaitingApproval)
	await(t, time.Minute, func(context.Context) string {
		if len(a.slack.about("/api/chat.postMessage", id)) == 0 {
			return "Slack was not told of the question"
		}
		return ""
	})
	return a.get(t, id), user
}

func (a *asking) get(t *testing.T, id string) *responder.Run {
	t.Helper()
	run, err := a.runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// await waits until a run is in a state.
func (a *asking) await(t *testing.T, id string, state responder.RunState) {
	t.Helper()
	await(t, 2*time.Minute, func(ctx context.Context) string {
		run, err := a.runs.Get(ctx, id)
		switch {
		case err != nil:
			return err.Error()
		case run.State != state && run.State.Ended():
			t.Fatalf("the run is %s: %s", run.State, run.Cause)
		case run.State != state:
			return fmt.Sprintf("the run is %s, not %s", run.State, state)
		}
		return ""
	})
}

// exists reports whether a user is there.
func (a *asking) exists(t *testing.T, user string) bool {
	t.Helper()
	_, err := iam.NewFromConfig(a.root).GetUser(t.Context(), &iam.GetUserInput{UserName: &user})
	if err != nil && !strings.Contains(err.Error(), "NoSuchEntity") {
		t.Fatal(err)
	}
	return err == nil
}

// clicks posts to the door that Slack posts to, through the deployed API.
func (a *asking) clicks(t *testing.T, headers http.Header, body []byte) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(a.apiURL(), "/events")+"/slack/interactions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = headers
	response, err := a.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// clicked has somebody click, so often until that is judged: the function gives up
// after two seconds, for Slack does after three, and a busy machine takes longer.
func (a *asking) clicked(t *testing.T, secret string, age time.Duration, body []byte) (status int) {
	t.Helper()
	await(t, time.Minute, func(context.Context) string {
		if status = a.clicks(t, signed(secret, time.Now().Add(-age), body), body); status >= http.StatusInternalServerError {
			return fmt.Sprintf("a click is answered %d", status)
		}
		return ""
	})
	return status
}

// answered has somebody click, so often until Slack has been told what came of it.
func (a *asking) answered(t *testing.T, action, user, ref, name string) (said map[string]any) {
	t.Helper()
	body := click(action, user, ref, name)
	await(t, time.Minute, func(context.Context) string {
		if status := a.clicked(t, signing, 0, body); status != http.StatusOK {
			t.Fatalf("the click %s is answered %d", name, status)
		}
		for _, h := range a.slack.about("/actions/"+name, "") {
			if !strings.Contains(fmt.Sprint(h.said["text"]), "could not be kept") {
				said = h.said
				return ""
			}
		}
		return "Slack was not told what came of the click " + name
	})
	return said
}

// testClicked: nobody but who is asked decides, once, by a click that Slack signed;
// and the run's thread tells of it.
func testClicked(t *testing.T, a *asking) {
	run, user := a.asked(t, "click")
	message := a.slack.about("/api/chat.postMessage", run.ID)[0]
	ref := button(message.said, "approve")
	if _, step, digest, ok := responder.ParseRef(ref); !ok || step != "0" || digest != run.Steps["0"].Approval.Digest {
		t.Fatalf("the button's value is %q", ref)
	}
	if said := fmt.Sprint(message.said); !strings.Contains(said, user) || !strings.Contains(said, a.Account) || !strings.Contains(said, a.Region) {
		t.Errorf("the question does not say whom, in which account and region: %s", said)
	}
	changed := strings.Replace(ref, " 0 ", " 1 ", 1)
	other := ref[:len(ref)-1] + map[bool]string{true: "0", false: "1"}[!strings.HasSuffix(ref, "0")]
	for name, tt := range map[string]struct {
		secret string
		age    time.Duration
	}{
		"a bad MAC": {"another secret", 0}, "5 min 1 s": {signing, 5*time.Minute + time.Second}, "6 min early": {signing, -6 * time.Minute},
	} {
		if status := a.clicked(t, tt.secret, tt.age, click("approve", "U0CAROL", ref, run.ID+"-refused")); status != http.StatusUnauthorized {
			t.Errorf("%s is answered %d", name, status)
		}
	}
	for name, tt := range map[string]struct{ user, ref string }{
		"wrong-approver": {"U0DAVE", ref}, "other-step": {"U0CAROL", changed}, "other-digest": {"U0CAROL", other},
	} {
		if said := a.answered(t, "approve", tt.user, tt.ref, run.ID+"-"+name); said["replace_original"] != false {
			t.Errorf("%s is told %v", name, said)
		}
	}
	again := click("approve", "U0DAVE", ref, run.ID+"-again")
	headers := signed(signing, time.Now(), again)
	await(t, time.Minute, func(context.Context) string { // taken once, refused from then on
		if status := a.clicks(t, headers, again); status != http.StatusUnauthorized {
			return fmt.Sprintf("the same request again is answered %d", status)
		}
		return ""
	})
	if taken := len(a.slack.about("/actions/"+run.ID+"-again", "")); taken > 1 {
		t.Errorf("the same request was taken %d times", taken)
	}
	if at := a.get(t, run.ID); !at.Steps["0"].Approval.Open() || !a.exists(t, user) {
		t.Fatalf("it is decided: %+v", at.Steps["0"].Approval)
	}

	if said := a.answered(t, "approve", "U0CAROL", ref, run.ID+"-yes"); said["replace_original"] != true || !strings.Contains(fmt.Sprint(said["text"]), "approved by <@U0CAROL>") {
		t.Errorf("who approved is told %v", said)
	}
	if said := a.answered(t, "deny", "U0CAROL", ref, run.ID+"-no"); !strings.Contains(fmt.Sprint(said["text"]), "decided already") { // in another mind
		t.Errorf("a second click is told %v", said)
	}
	a.await(t, run.ID, responder.RunSucceeded)
	ended := a.get(t, run.ID)
	if q := ended.Steps["0"].Approval; q.Decision != responder.Approved || q.Who.ID != "U0CAROL" || q.Who.Kind != responder.IdentitySlack || len(ended.Audit) != 1 || a.exists(t, user) {
		t.Errorf("%+v, user there: %v", q, a.exists(t, user))
	}
	replies, updates := a.slack.inThread("/api/chat.postMessage", message.ts), a.slack.inThread("/api/chat.update", message.ts)
	if len(replies) != 1 || len(updates) == 0 || !strings.Contains(fmt.Sprint(replies[0].said), user+" is gone") {
		t.Errorf("in the thread there are %d replies, and its head was updated %d times", len(replies), len(updates))
	}
	shown(t, "a click went through API Gateway to the approve function, and the user was deleted; eight that should not did not")
}

// testCancelledFirst: what somebody has cancelled nobody approves.
func testCancelledFirst(t *testing.T, a *asking) {
	run, user := a.asked(t, "cancel")
	ref := button(a.slack.about("/api/chat.postMessage", run.ID)[0].said, "approve")
	a.responder(t, "runs", "cancel", run.ID, "--stack", a.Name)
	if said := a.answered(t, "approve", "U0CAROL", ref, run.ID); said["replace_original"] != false || !strings.Contains(fmt.Sprint(said["text"]), "cancelled") {
		t.Errorf("told %v", said)
	}
	if at := a.get(t, run.ID); at.State != responder.RunCancelled || at.Steps["0"].Approval.Decision != "" || !a.exists(t, user) {
		t.Errorf("the run is %s: %+v", at.State, at.Steps["0"].Approval)
	}
}

// testChanged: a yes does not count for another thing than was shown, whoever has
// changed it.
func testChanged(t *testing.T, a *asking) {
	run, user := a.asked(t, "changed")
	victim := "asked-victim-" + user
	if _, err := iam.NewFromConfig(a.root).CreateUser(t.Context(), &iam.CreateUserInput{UserName: &victim}); err != nil {
		t.Fatal(err)
	}
	ref := button(a.slack.about("/api/chat.postMessage", run.ID)[0].said, "approve")
	forged := a.get(t, run.ID)
	params := maps.Clone(forged.Steps["0"].Params)
	params["user"] = victim
	forged.Steps["0"].Params, forged.Token = params, "forged"
	if err := a.playDispatch().Save(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	if said := a.answered(t, "approve", "U0CAROL", ref, run.ID); said["replace_original"] != true {
		t.Errorf("told %v", said)
	}
	a.await(t, run.ID, responder.RunFailed)
	if at := a.get(t, run.ID); !strings.Contains(at.Cause, "changed since it was approved") || !a.exists(t, user) || !a.exists(t, victim) {
		t.Errorf("the run is %s: %s; the users: %v, %v", at.State, at.Cause, a.exists(t, user), a.exists(t, victim))
	}
}

// testByIAM: the command line decides as whom AWS says its caller is.
func testByIAM(t *testing.T, a *asking) {
	run, user := a.asked(t, "iam")
	invoke := map[string]any{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": fmt.Sprintf("arn:aws:execute-api:%s:%s:*/prod/POST/runs/*", a.Region, a.Account)}
	decide := []string{"runs", "approve", run.ID, "--stack", a.Name, "--yes", "--why", "looked at it"}
	for name, tt := range map[string]struct {
		may  []map[string]any
		says string
	}{
		"outsider": {nil, "may not decide in stack"},
		"insider":  {[]map[string]any{invoke}, "not among those who are asked"},
	} {
		out, err := a.command(t, a.person(t, name, tt.may...), a.proxy, decide...)
		if err == nil || !strings.Contains(out, tt.says) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if at := a.get(t, run.ID); !at.Steps["0"].Approval.Open() {
		t.Fatalf("it is decided: %+v", at.Steps["0"].Approval)
	}
	out, err := a.command(t, a.person(t, "approver", invoke), a.proxy, decide...)
	if err != nil || !strings.Contains(out, "is approved") || !strings.Contains(out, user) {
		t.Fatalf("%v\n%s", err, out)
	}
	a.await(t, run.ID, responder.RunSucceeded)
	q := a.get(t, run.ID).Steps["0"].Approval
	if q.Who.Kind != responder.IdentityIAM || !strings.HasPrefix(q.Who.ID, "arn:aws:iam::"+a.Account+":user/approver-") || q.Why != "looked at it" || a.exists(t, user) {
		t.Errorf("%+v; the user is there: %v", q, a.exists(t, user))
	}
	if paths := dispatch.Open(a.get(t, run.ID)); len(paths) > 0 {
		t.Errorf("open: %v", paths)
	}
	unsigned, err := json.Marshal(map[string]string{"step": "0", "digest": q.Digest})
	if err != nil {
		t.Fatal(err)
	}
	response, err := a.http.Post(strings.TrimSuffix(a.apiURL(), "/events")+"/runs/"+run.ID+"/approve", "application/json", bytes.NewReader(unsigned))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("who does not sign is answered %d", response.StatusCode)
	}
	shown(t, "`responder runs approve --stack` was heard of an approver, and neither of others nor without permission")
}
