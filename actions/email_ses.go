package actions

import (
	"context"
	"net/mail"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"github.com/skycrafters/responder"
)

// SESAPI is what SendEmail asks of SES.
type SESAPI interface {
	SendEmail(context.Context, *sesv2.SendEmailInput, ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error)
}

// SES's limits: recipients of a message. A subject has none of its own but a
// mail's line; both bodies stay far from the 40 MB of a message.
// https://docs.aws.amazon.com/ses/latest/dg/quotas.html
const (
	sesRecipients = 50
	sesSubject    = 200
	sesBody       = 256 << 10
)

// sesMail is who writes to whom by SES.
type sesMail struct {
	from   string // as it is shown: Responder <alerts@example.com>
	sender string // the address alone
	to     []string
	region string // "" is the configuration's own
}

// sesOf gives who writes to whom, nil where the step names nobody and so means
// the topic.
func sesOf(call responder.Call) (*sesMail, error) {
	from, err := referenceParam(call, "from", "")
	if err != nil {
		return nil, err
	}
	to, err := addresses(call.Params["to"])
	switch {
	case err != nil:
		return nil, err
	case from == "" && len(to) == 0:
		return nil, nil
	case from == "" || len(to) == 0:
		return nil, permanentf("e-mail by SES needs from and to, both")
	case len(to) > sesRecipients:
		return nil, permanentf("to names %d addresses; SES writes to %d at once", len(to), sesRecipients)
	}
	if call.Params["topicARN"] != nil {
		return nil, permanentf("from and to are for SES, topicARN for SNS: give the one or the other")
	}
	sender, err := mail.ParseAddress(from)
	if err != nil || !ascii(sender.Address) {
		return nil, permanentf("from is no address such as Responder <alerts@example.com>")
	}
	m := &sesMail{from: written(sender), sender: sender.Address, to: to}
	if m.region, err = referenceParam(call, "region", ""); err != nil {
		return nil, err
	}
	if m.region != "" && !regionName.MatchString(m.region) {
		return nil, permanentf("region is no region such as eu-west-1")
	}
	return m, nil
}

// addresses reads one address, or a list.
func addresses(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok && value != nil {
		list = []any{value}
	}
	var all []string
	for i, v := range list {
		address, err := mail.ParseAddress(strings.TrimSpace(plain(v)))
		if err != nil || !ascii(address.Address) {
			return nil, permanentf("to[%d] is no address such as ops@example.com", i)
		}
		all = append(all, written(address))
	}
	return all, nil
}

// written is an address as a header has it.
func written(a *mail.Address) string {
	if a.Name == "" {
		return a.Address
	}
	return a.String()
}

func ascii(text string) bool {
	return !slices.ContainsFunc([]byte(text), func(b byte) bool { return b < ' ' || b > '~' })
}

// needs is the permission to write as the sender: its identity is that of the
// address or of its domain, whichever is verified.
func (m *sesMail) needs() responder.Permission {
	region := m.region
	if region == "" {
		region = "${AWS::Region}"
	}
	const identity = ":${AWS::AccountId}:identity/"
	arn := "arn:${AWS::Partition}:ses:" + region + identity
	_, domain, _ := strings.Cut(m.sender, "@")
	return responder.Permission{
		Actions:   []string{"ses:SendEmail"},
		Resources: []string{arn + m.sender, arn + domain},
		Condition: map[string]map[string]string{"StringEquals": {"ses:FromAddress": m.sender}},
	}
}

// input is the mail as SES is given it.
func (m *sesMail) input(call responder.Call) (*sesv2.SendEmailInput, error) {
	mail, err := newEmail(call)
	if err != nil {
		return nil, err
	}
	content := func(text string) *types.Content {
		return &types.Content{Data: aws.String(text), Charset: aws.String("UTF-8")}
	}
	return &sesv2.SendEmailInput{
		FromEmailAddress: aws.String(m.from),
		Destination:      &types.Destination{ToAddresses: m.to},
		Content: &types.EmailContent{Simple: &types.Message{
			Subject: content(emailSubject(call, sesSubject)),
			Body: &types.Body{
				Text: content(cutBytes(mail.text(), sesBody, emailCut)),
				Html: content(mail.html(sesBody)),
			},
			Headers: []types.MessageHeader{
				{Name: aws.String("Auto-Submitted"), Value: aws.String("auto-generated")},
				{Name: aws.String("X-Responder-Key"), Value: aws.String(call.Key)},
			},
		}},
	}, nil
}

// bySES sends the mail. At least once: SES has no key to tell a mail sent again.
func (a *sendEmail) bySES(ctx context.Context, m *sesMail, call responder.Call) (responder.Result, error) {
	in, err := m.input(call)
	if err != nil {
		return nil, err
	}
	if a.aws.SES == nil {
		return nil, errNoAWS
	}
	cfg, err := a.aws.own(ctx, m.region)
	if err != nil {
		return nil, err
	}
	out, err := a.aws.SES(cfg).SendEmail(ctx, in)
	if err != nil {
		return nil, awsError("ses:SendEmail", err, reads)
	}
	return responder.Result{"message_id": aws.ToString(out.MessageId)}, nil
}
