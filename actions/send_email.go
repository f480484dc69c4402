package actions

import (
	"context"
	"regexp"
	"strings"

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

// sendEmail writes to the subscribers of an SNS topic, or by SES to whom the
// flow's author names.
type sendEmail struct {
	aws  AWS
	refs references
}

var (
	_ responder.Action    = (*sendEmail)(nil)
	_ responder.Narrower  = (*sendEmail)(nil)
	_ responder.Previewer = (*sendEmail)(nil)
)

// Spec implements responder.Action.
func (a *sendEmail) Spec() responder.Spec {
	return responder.Spec{
		Name: "SendEmail",
		Kind: responder.Notice,
		Doc:  "Sends the finding and its event by e-mail: to the subscribers of an SNS topic as text, or by SES to whom the flow names, as text and HTML.",
		Params: []responder.Param{
			{Name: "topicARN", Type: responder.TextParam, Static: true, Default: defaultTopic,
				Doc: "The topic's ARN, or env:NAME; " + defaultTopic + " if not given. A topic other than STACK-email, that of Responder's stack, needs a permission of its own."},
			{Name: "from", Type: responder.TextParam, Static: true,
				Doc: "For SES: the sender, an address or `Name <address>`, that is verified there, or its domain is."},
			{Name: "to", Type: responder.ListParam, Static: true, Doc: "For SES: the addresses to write to, at most 50."},
			{Name: "region", Type: responder.TextParam, Static: true, Doc: "For SES: the region to send from; Responder's own if not given."},
			{Name: "subject", Type: responder.TextParam, Doc: "The subject; the finding's title if not given."},
			{Name: "message", Type: responder.MessageParam,
				Doc: "What to say in place of the finding's message: a text, or header and values. The finding and its event follow in any case."},
		},
		Result: map[string]string{"message_id": "SNS's or SES's id of the message"},
		Permissions: []responder.Permission{{
			Actions:   []string{"sns:Publish"},
			Resources: []string{"arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:" + stackTopic},
		}},
		Escape: escapeMail,
	}
}

// Needs implements responder.Narrower.
func (a *sendEmail) Needs(call responder.Call) []responder.Permission {
	if m, err := sesOf(call); err == nil && m != nil {
		return []responder.Permission{m.needs()}
	}
	return a.Spec().Permissions
}

// Do implements responder.Action. At least once: neither SES nor SNS has a key to
// tell a message sent again.
func (a *sendEmail) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	m, err := sesOf(call)
	if err != nil {
		return nil, err
	}
	if m != nil {
		return a.bySES(ctx, m, call)
	}
	return a.bySNS(ctx, call)
}

// Preview implements responder.Previewer.
func (a *sendEmail) Preview(call responder.Call) (responder.Preview, error) {
	m, err := sesOf(call)
	if err != nil {
		return responder.Preview{}, err
	}
	mail, err := newEmail(call)
	if err != nil {
		return responder.Preview{}, err
	}
	text := cutBytes(mail.text(), snsMessage, emailCut)
	if m == nil {
		topic, err := referenceParam(call, "topicARN", defaultTopic)
		subject := emailSubject(call, snsSubject)
		return responder.Preview{To: "SNS topic " + topic, Payload: map[string]any{"Subject": subject, "Message": text}, Text: subject + "\n\n" + text}, err
	}
	in, err := m.input(call)
	if err != nil {
		return responder.Preview{}, err
	}
	message := in.Content.Simple
	return responder.Preview{
		To: "SES, from " + m.from + " to " + strings.Join(m.to, ", "),
		Payload: map[string]any{"FromEmailAddress": m.from, "Destination": map[string]any{"ToAddresses": m.to}, "Content": map[string]any{"Simple": map[string]any{
			"Subject": message.Subject, "Body": map[string]any{"Text": message.Body.Text, "Html": message.Body.Html}, "Headers": message.Headers,
		}}},
		Text: aws.ToString(message.Subject.Data) + "\n\n" + aws.ToString(message.Body.Text.Data),
		HTML: aws.ToString(message.Body.Html.Data),
	}, nil
}

// bySNS tells the topic's subscribers.
func (a *sendEmail) bySNS(ctx context.Context, call responder.Call) (responder.Result, error) {
	topic, region, err := a.topic(ctx, call)
	if err != nil {
		return nil, err
	}
	mail, err := newEmail(call)
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
		Subject:  aws.String(emailSubject(call, snsSubject)),
		Message:  aws.String(cutBytes(mail.text(), snsMessage, emailCut)),
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

func emailSubject(call responder.Call, max int) string {
	subject := inline(plain(call.Params["subject"]))
	if subject == "" {
		subject = title(call.Finding)
	}
	if subject = inline(call.Prefix + subject); subject == "" {
		subject = "Responder"
	}
	return cut(subject, max)
}
