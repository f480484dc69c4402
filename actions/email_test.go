package actions_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

type fakeSNS struct {
	err    error
	inputs []*sns.PublishInput
	region string
}

func (f *fakeSNS) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	f.inputs = append(f.inputs, in)
	return &sns.PublishOutput{MessageId: aws.String("m-1")}, f.err
}

const topic = "arn:aws:sns:eu-central-1:111122223333:responder-email"

func (f *fakeSNS) send(ctx context.Context, call responder.Call, env map[string]string) (responder.Result, error) {
	return actions.New(actions.Deps{
		Getenv: func(name string) string { return env[name] },
		AWS: actions.AWS{SNS: func(cfg aws.Config) actions.SNSAPI {
			f.region = cfg.Region
			return f
		}},
	})["SendEmail"].Do(ctx, call)
}

func TestSendEmail(t *testing.T) {
	for name, call := range map[string]responder.Call{
		"finding": {Finding: finding()},
		"subject": {Finding: finding(), Params: map[string]any{"subject": "Root has\r\nlogged in!", "topicARN": topic}},
		"dry":     {Finding: finding(), Prefix: "[DRY RUN] ", Params: map[string]any{"topicARN": "env:OTHER"}},
		"message": {Finding: finding(), Params: map[string]any{"message": map[string]any{"header": "Look at this", "values": []any{map[string]any{"label": "Account", "value": "1"}}}}},
	} {
		f := &fakeSNS{}
		got, err := f.send(t.Context(), call, map[string]string{"EMAIL_TOPIC_ARN": topic, "OTHER": topic + "\n"})
		if err != nil || got["message_id"] != "m-1" || f.region != "eu-central-1" || *f.inputs[0].TopicArn != topic {
			t.Errorf("%s: %v, %v in %s", name, got, err, f.region)
			continue
		}
		golden(t, "SendEmail/"+name+".txt", []byte("Subject: "+*f.inputs[0].Subject+"\n\n"+*f.inputs[0].Message))
	}
}

func TestSendEmailSubject(t *testing.T) {
	for title, want := range map[string]string{
		"": "UntrustedLogin", " \n ": "UntrustedLogin", "a\nBcc: x": "a Bcc: x", "\x1b[31mred\x07": "red", "Übel 😀": "Übel 😀",
		strings.Repeat("é", 200): strings.Repeat("é", 98) + "…",
	} {
		f := &fakeSNS{}
		call := responder.Call{Finding: finding(), Params: map[string]any{"topicARN": topic}}
		call.Finding.Title = title
		if _, err := f.send(t.Context(), call, nil); err != nil || *f.inputs[0].Subject != want {
			t.Errorf("%q: got %q, %v", title, *f.inputs[0].Subject, err)
		}
	}
}

func TestSendEmailLimit(t *testing.T) {
	f := &fakeSNS{}
	call := responder.Call{Finding: finding(), Params: map[string]any{"topicARN": topic}}
	big, err := json.Marshal(map[string]string{"x": strings.Repeat("é😀", 60_000)})
	if err != nil {
		t.Fatal(err)
	}
	call.Finding.Event = big
	if _, err := f.send(t.Context(), call, nil); err != nil {
		t.Fatal(err)
	}
	body := *f.inputs[0].Message
	if len(body) > 256<<10 || len(body) < 256<<10-10 || !utf8.ValidString(body) || !strings.HasSuffix(body, "than an e-mail may be]\n") {
		t.Errorf("%d bytes, valid %v, ending in %q", len(body), utf8.ValidString(body), body[len(body)-80:])
	}
}

func TestSendEmailRefused(t *testing.T) {
	for name, params := range map[string]map[string]any{
		"unset": {}, "empty": {"topicARN": ""}, "unset reference": {"topicARN": "env:NO"}, "no ARN": {"topicARN": "topic"}, "FIFO": {"topicARN": topic + ".fifo"},
		"subscription": {"topicARN": topic + ":1234"}, "queue": {"topicARN": strings.Replace(topic, "sns", "sqs", 1)}, "number": {"topicARN": 1.0},
		"host": {"topicARN": "arn:aws:sns:x.evil/:111122223333:t"}, "message": {"topicARN": topic, "message": []any{}},
	} {
		f := &fakeSNS{}
		if _, err := f.send(t.Context(), responder.Call{Finding: finding(), Params: params}, nil); !isPermanent(err) || len(f.inputs) > 0 {
			t.Errorf("%s: got %v, %d published", name, err, len(f.inputs))
		}
	}
	for _, tt := range []struct {
		err error
		is  func(error) bool
	}{
		{awsErr("AuthorizationError"), isPermanent}, {awsErr("NotFound"), isPermanent}, {awsErr("InvalidParameter"), isPermanent},
		{awsErr("Throttling"), isTransient}, {errors.New("EOF"), isTransient}, {context.DeadlineExceeded, isTransient},
	} {
		f := &fakeSNS{err: tt.err}
		if _, err := f.send(t.Context(), responder.Call{Finding: finding(), Params: map[string]any{"topicARN": topic}}, nil); !tt.is(err) || !strings.HasPrefix(err.Error(), "sns:Publish: ") {
			t.Errorf("%v: got %v", tt.err, err)
		}
	}
	f := &fakeSNS{}
	call := responder.Call{Finding: finding(), Params: map[string]any{"topicARN": topic}}
	call.Finding.Event = json.RawMessage("{\"a\":\"\u202e\u009b\u007f\"}")
	if _, err := f.send(t.Context(), call, nil); err != nil || !strings.HasSuffix(*f.inputs[0].Message, `"a": "\u202e\u009b\u007f"`+"\n}\n") {
		t.Errorf("event with controls: %v, %q", err, *f.inputs[0].Message)
	}
	call.Finding.Event = json.RawMessage("{")
	if _, err := f.send(t.Context(), call, nil); !isPermanent(err) {
		t.Errorf("broken event: got %v", err)
	}
}
