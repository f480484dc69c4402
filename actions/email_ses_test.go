package actions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// fakeSES refuses what SES does.
type fakeSES struct {
	err    error
	inputs []*sesv2.SendEmailInput
	region string
}

func (f *fakeSES) SendEmail(_ context.Context, in *sesv2.SendEmailInput, _ ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error) {
	f.inputs = append(f.inputs, in)
	if f.err != nil {
		return nil, f.err
	}
	refuse := func(what string) (*sesv2.SendEmailOutput, error) {
		return nil, &types.BadRequestException{Message: aws.String(what)}
	}
	simple := in.Content.Simple
	if n := len(in.Destination.ToAddresses); n == 0 || n > 50 {
		return refuse(fmt.Sprint(n, " recipients"))
	}
	for _, address := range append(in.Destination.ToAddresses, *in.FromEmailAddress) {
		if _, err := mail.ParseAddress(address); err != nil {
			return refuse(address)
		}
	}
	for _, content := range []*types.Content{simple.Subject, simple.Body.Text, simple.Body.Html} {
		if content == nil || *content.Data == "" || *content.Charset != "UTF-8" {
			return refuse("empty content")
		}
	}
	for _, h := range simple.Headers {
		if strings.ContainsAny(*h.Name+*h.Value, "\r\n") || len(*h.Name) > 126 || len(*h.Value) > 870 {
			return refuse("header")
		}
	}
	if strings.ContainsAny(*simple.Subject.Data, "\r\n") {
		return refuse("subject")
	}
	return &sesv2.SendEmailOutput{MessageId: aws.String("s-1")}, nil
}

func (f *fakeSES) action() responder.Action {
	return actions.New(actions.Deps{AWS: actions.AWS{SES: func(cfg aws.Config) actions.SESAPI { f.region = cfg.Region; return f }}})["SendEmail"]
}

func sesCall(params map[string]any) responder.Call {
	call := responder.Call{Key: "run1/2.1", Flow: "f", Finding: finding(), Account: "111122223333", Region: "us-east-1",
		Params: map[string]any{"from": "Responder <alerts@example.com>", "to": []any{"ops@example.com", "Ann <ann@example.org>"}, "region": "eu-west-1"}}
	for key, value := range params {
		call.Params[key] = value
	}
	return call
}

func TestSendEmailBySES(t *testing.T) {
	for name, call := range map[string]responder.Call{
		"ses":          sesCall(nil),
		"ses-values":   sesCall(map[string]any{"to": "ops@example.com", "subject": "Look\r\nBcc: x", "message": map[string]any{"header": "Look <b>here</b>", "values": []any{map[string]any{"label": "<i>", "value": "a\nb"}}}}),
		"ses-question": asking(sesCall(nil)),
	} {
		f := &fakeSES{}
		call.Prefix = map[bool]string{true: "[DRY RUN] "}[name == "ses-values"]
		got, err := f.action().Do(t.Context(), call)
		if err != nil || got["message_id"] != "s-1" || f.region != "eu-west-1" {
			t.Errorf("%s: %v, %v in %s", name, got, err, f.region)
			continue
		}
		in := f.inputs[0]
		simple := in.Content.Simple
		golden(t, "SendEmail/"+name+".txt", []byte("From: "+*in.FromEmailAddress+"\nTo: "+strings.Join(in.Destination.ToAddresses, ", ")+"\nSubject: "+*simple.Subject.Data+"\n\n"+*simple.Body.Text.Data))
		golden(t, "SendEmail/"+name+".html", []byte(strings.ReplaceAll(*simple.Body.Html.Data, "><", ">\n<")+"\n"))
	}
}

// mailTag is what a mail is made of: nothing to click, to fetch or to run.
var mailTag = regexp.MustCompile(`^<(!DOCTYPE html|br|meta (charset="utf-8"|name="viewport" content="width=device-width")|/?(html|head|title|body|div|span|strong|code|h1|h2|p|table|tr|td|pre)( style="[a-zA-Z0-9#:;,.%/' -]*")?)>$`)

// TestSendEmailHTML: nothing of an event is a tag, a link or a thing to fetch.
func TestSendEmailHTML(t *testing.T) {
	const evil = `</pre><script>x</script><img src="https://evil.example/p.png"><a href='https://evil.example'>&lt;`
	f := &fakeSES{}
	call := sesCall(map[string]any{"message": map[string]any{"header": evil, "values": []any{map[string]any{"label": evil, "value": evil}}}})
	call.Finding.Title, call.Finding.Message, call.Finding.Resources, call.Flow, call.Region = evil, evil, []string{evil}, evil, evil
	call.Finding.Event = json.RawMessage(mustJSON(t, map[string]any{"x": evil}))
	call.Question = &responder.Question{Run: evil, Step: evil, Text: evil, Plan: []string{evil}}
	if _, err := f.action().Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	got := *f.inputs[0].Content.Simple.Body.Html.Data
	for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(got, -1) {
		if !mailTag.MatchString(tag) {
			t.Errorf("%s is in the mail", tag)
		}
	}
	if strings.Count(got, "<pre") != 2 || strings.Count(got, "</pre>") != 2 || !strings.HasSuffix(got, "</body></html>") {
		t.Errorf("the page is broken:\n%s", got)
	}
}

func TestSendEmailHTMLIsBounded(t *testing.T) {
	for _, c := range []string{"x", "<", "é", "\u202e", `"`} {
		f := &fakeSES{}
		call := sesCall(map[string]any{"message": map[string]any{"header": strings.Repeat(c, 50_000), "values": []any{map[string]any{"label": "a", "value": strings.Repeat(c, 50_000)}}}})
		call.Finding.Message, call.Finding.Event = strings.Repeat(c, 300_000), json.RawMessage(mustJSON(t, strings.Repeat(c, 300_000)))
		if _, err := f.action().Do(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		body := f.inputs[0].Content.Simple.Body
		if n := len(*body.Html.Data); n > 400_000 || !strings.HasSuffix(*body.Html.Data, "</pre></div></body></html>") {
			t.Errorf("%q: %d bytes of HTML", c, n)
		}
		if n := len(*body.Text.Data); n > 256<<10 {
			t.Errorf("%q: %d bytes of text", c, n)
		}
	}
}

func TestSendEmailSESRefused(t *testing.T) {
	many := make([]any, 51)
	for i := range many {
		many[i] = fmt.Sprintf("a%d@example.com", i)
	}
	for name, params := range map[string]map[string]any{
		"no to": {"to": nil}, "no from": {"from": nil}, "empty from": {"from": ""}, "empty to": {"to": []any{}}, "bad from": {"from": "alerts"},
		"two in one": {"to": "a@b.c, d@e.f"}, "line": {"to": "a@b.c\r\nBcc: d@e.f"}, "beyond ASCII": {"from": "ü@example.com"}, "too many": {"to": many},
		"topic, too": {"topicARN": topic}, "region": {"region": "evil.example/"}, "empty region": {"region": ""}, "list as message": {"message": []any{}},
		"number": {"to": []any{7.0}}, "reference": {"from": "env:FROM"},
	} {
		f := &fakeSES{}
		if _, err := f.action().Do(t.Context(), sesCall(params)); !isPermanent(err) || len(f.inputs) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := actions.New(actions.Deps{})["SendEmail"].Do(t.Context(), sesCall(nil)); !isPermanent(err) {
		t.Errorf("without AWS: %v", err)
	}
	for err, is := range map[error]func(error) bool{
		&types.TooManyRequestsException{}: isTransient, &types.MessageRejected{}: isPermanent, &types.SendingPausedException{}: isPermanent,
		&types.MailFromDomainNotVerifiedException{}: isPermanent, errors.New("no answer"): isTransient,
	} {
		f := &fakeSES{err: err}
		if _, got := f.action().Do(t.Context(), sesCall(nil)); !is(got) {
			t.Errorf("%v: got %v", err, got)
		}
	}
}

func TestSendEmailNeeds(t *testing.T) {
	needs := (&fakeSES{}).action().(responder.Narrower).Needs
	if got := mustJSON(t, needs(sesCall(nil))); got != `[{"Actions":["ses:SendEmail"],"Resources":["arn:${AWS::Partition}:ses:eu-west-1:${AWS::AccountId}:identity/alerts@example.com","arn:${AWS::Partition}:ses:eu-west-1:${AWS::AccountId}:identity/example.com"],"Condition":{"StringEquals":{"ses:FromAddress":"alerts@example.com"}}}]` {
		t.Errorf("got %s", got)
	}
	for _, params := range []map[string]any{nil, {"from": "nonsense", "to": "a@b.c"}} {
		if got := needs(responder.Call{Params: params}); len(got) != 1 || got[0].Actions[0] != "sns:Publish" {
			t.Errorf("%v: got %v", params, got)
		}
	}
}
