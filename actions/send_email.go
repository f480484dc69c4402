package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/skycrafters/responder"
)

// SNSAPI is what SendEmail asks of SNS.
type SNSAPI interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// stackTopic is the name of the topic that SendEmail's permission names, that
// of Responder's stack.
const stackTopic = "${AWS::StackName}-email"

// SNS's limits: a subject has less than 100 characters, a message at most 256 KiB.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const (
	snsSubject = 99
	snsMessage = 256 << 10
)

const defaultTopic = "env:EMAIL_TOPIC_ARN"

// standardTopic is the ARN of a topic that can have e-mail subscriptions; it
// gives the region. FIFO topics cannot.
var standardTopic = regexp.MustCompile(`^arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)

// sendEmail tells the subscribers of an SNS topic.
type sendEmail struct {
	aws  AWS
	refs references
}

var _ responder.Action = (*sendEmail)(nil)

// Spec implements responder.Action.
func (a *sendEmail) Spec() responder.Spec {
	return responder.Spec{
		Name: "SendEmail",
		Kind: responder.Notice,
		Doc:  "Sends the finding and its event to the e-mail subscribers of an SNS topic.",
		Params: []responder.Param{
			{Name: "topicARN", Type: responder.TextParam, Static: true, Default: defaultTopic,
				Doc: "The topic's ARN, or env:NAME; " + defaultTopic + " if not given. A topic other than STACK-email, that of Responder's stack, needs a permission of its own."},
			{Name: "subject", Type: responder.TextParam, Doc: "The subject; the finding's title if not given."},
			{Name: "message", Type: responder.MessageParam,
				Doc: "What to say in place of the finding's message: a text, or header and values. The finding and its event follow in any case."},
		},
		Result: map[string]string{"message_id": "SNS's id of the message"},
		Permissions: []responder.Permission{{
			Actions:   []string{"sns:Publish"},
			Resources: []string{"arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:" + stackTopic},
		}},
		Escape: escapeMail,
	}
}

// Do implements responder.Action. At least once: SNS has no key to tell a
// message sent again.
func (a *sendEmail) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	topic, region, err := a.topic(ctx, call)
	if err != nil {
		return nil, err
	}
	body, err := emailBody(call)
	if err != nil {
		return nil, err
	}
	if a.aws.SNS == nil {
		return nil, errNoAWS
	}
	cfg, err := a.aws.own(ctx, region)
	if err != nil {
		return nil, err
	}
	out, err := a.aws.SNS(cfg).Publish(ctx, &sns.PublishInput{
		TopicArn: &topic,
		Subject:  aws.String(emailSubject(call)),
		Message:  &body,
	})
	if err != nil {
		return nil, awsError("sns:Publish", err, reads)
	}
	return responder.Result{"message_id": aws.ToString(out.MessageId)}, nil
}

// topic gives the topic's ARN and region.
func (a *sendEmail) topic(ctx context.Context, call responder.Call) (arn, region string, err error) {
	ref, err := referenceParam(call, "topicARN", defaultTopic)
	if err != nil {
		return "", "", err
	}
	arn, err = a.refs.resolve(ctx, ref)
	if err != nil {
		return "", "", err
	}
	match := standardTopic.FindStringSubmatch(arn)
	if match == nil {
		return "", "", permanentf("%s is not the ARN of a standard SNS topic", ref)
	}
	return arn, match[1], nil
}

func emailSubject(call responder.Call) string {
	subject := inline(plain(call.Params["subject"]))
	if subject == "" {
		subject = title(call.Finding)
	}
	if subject = inline(call.Prefix + subject); subject == "" {
		subject = "Responder"
	}
	return cut(subject, snsSubject)
}

// emailBody is what people read first, then the finding and the event as JSON.
// What is over SNS's limit is cut off the end, with a note.
func emailBody(call responder.Call) (string, error) {
	m, err := messageParam(call)
	if err != nil {
		return "", err
	}
	finding, event, err := emailJSON(call.Finding)
	if err != nil {
		return "", err
	}
	said := m.header
	if said == "" {
		said = escapeMail(call.Finding.Message)
	}
	var b strings.Builder
	b.WriteString(call.Prefix + said + "\n")
	fmt.Fprintf(&b, "Severity: %s\n", call.Finding.Severity.Title())
	for _, v := range m.values {
		fmt.Fprintf(&b, "%s: %s\n", v.label, v.value)
	}
	const rule = "----------\n"
	b.WriteString(rule + finding + "\n" + rule + event + "\n")
	return cutBytes(b.String(), snsMessage, "\n…\n[cut: the whole was longer than an e-mail may be]\n"), nil
}

// emailJSON gives the finding without its event, and the event as it came.
func emailJSON(f responder.Finding) (finding, event string, err error) {
	alone := struct {
		responder.Finding
		Event *struct{} `json:"event,omitempty"` // hides the finding's
	}{Finding: f}
	data, err := encodeJSON(alone)
	if err != nil {
		return "", "", permanentf("write the finding: %w", err)
	}
	if finding, err = indented(data); err != nil {
		return "", "", permanentf("write the finding: %w", err)
	}
	if event, err = indented(f.Event); err != nil {
		return "", "", permanentf("write the event: %w", err)
	}
	return finding, event, nil
}

// indented writes JSON for people, its values untouched; control characters and
// what would turn the direction of the text around are shown as escapes.
func indented(data []byte) (string, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return "", err
	}
	var text strings.Builder
	for _, r := range b.String() {
		if isBidiControl(r) || unicode.IsControl(r) && r != '\n' {
			fmt.Fprintf(&text, `\u%04x`, r)
			continue
		}
		text.WriteRune(r)
	}
	return text.String(), nil
}

// cutBytes shortens a text to at most max bytes, note included, between runes.
func cutBytes(text string, max int, note string) string {
	if len(text) <= max {
		return text
	}
	end := max - len(note)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + note
}
