package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
)

const defaultSlackAPI = "https://slack.com/api"

// sendSlack posts to Slack: by an incoming webhook, or, given a token, as a bot,
// who can keep the messages of a run in one thread.
type sendSlack struct{ *chat }

var (
	_ responder.Action    = (*sendSlack)(nil)
	_ responder.Previewer = (*sendSlack)(nil)
	_ responder.Describer = (*sendSlack)(nil)
)

// Spec implements responder.Action.
func (a *sendSlack) Spec() responder.Spec {
	spec := a.chat.Spec()
	spec.Params = append(spec.Params,
		responder.Param{Name: "token", Type: responder.TextParam, Static: true, Secret: true,
			Doc: "The token of a bot with the scope chat:write, as secret:NAME or env:NAME. With it the message is posted to `channel` by Slack's API, and no webhook is used."},
		responder.Param{Name: "channel", Type: responder.TextParam, Static: true,
			Doc: "With a token: the channel's id, or #name. The bot is a member of it."},
		responder.Param{Name: "thread", Type: responder.BoolParam,
			Doc: "With a token: true keeps what a run posts to one channel in one thread. The first message is brought up to date by each later one."},
		responder.Param{Name: "api", Type: responder.TextParam, Static: true, Default: defaultSlackAPI,
			Doc: "With a token: where Slack's API is; " + defaultSlackAPI + " if not given, https://slack-gov.com/api for GovSlack."},
	)
	spec.Result = maps.Clone(spec.Result)
	maps.Copy(spec.Result, map[string]string{
		"channel": "with a token: the channel's id",
		"ts":      "with a token: the message's timestamp, which is its id",
		"thread":  "with a token: the timestamp of the first message of the thread it is in, if it is in one",
		"head":    "of a reply: `updated`, or why the first message could not be",
	})
	return spec
}

// Do implements responder.Action. At least once: Slack has no key that tells a
// message posted again, so one whose answer was lost is posted again.
func (a *sendSlack) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	bot, err := a.bot(call)
	if err != nil {
		return nil, err
	}
	if bot == nil {
		return a.chat.Do(ctx, call)
	}
	return bot.post(ctx)
}

// Preview implements responder.Previewer.
func (a *sendSlack) Preview(call responder.Call) (responder.Preview, error) {
	bot, err := a.bot(call)
	if err != nil {
		return responder.Preview{}, err
	}
	if bot == nil {
		return a.chat.Preview(call)
	}
	payload, err := bot.payload()
	if err != nil {
		return responder.Preview{}, err
	}
	to := fmt.Sprintf("chat.postMessage to %s, token %s", bot.channel, named(bot.token, "token"))
	return responder.Preview{To: to, Payload: payload, Text: a.read(payload)}, nil
}

// slackBot is one message that a bot posts.
type slackBot struct {
	*sendSlack
	call               responder.Call
	token, channel, at string // token is a reference
	head               *responder.Earlier
}

// bot gives the message of a call that names a token, nil for one that does not.
func (a *sendSlack) bot(call responder.Call) (*slackBot, error) {
	token, err := referenceParam(call, "token", "")
	if err != nil || token == "" {
		return nil, err
	}
	b := &slackBot{sendSlack: a, call: call, token: token}
	if b.channel, err = referenceParam(call, "channel", ""); err != nil {
		return nil, err
	}
	if b.channel == "" {
		return nil, permanentf("a token needs a channel: the id of one, or its name with #")
	}
	if b.at, err = referenceParam(call, "api", defaultSlackAPI); err != nil {
		return nil, err
	}
	if thread, _ := call.Params["thread"].(bool); thread {
		b.head = slackHead(call.Earlier, b.channel)
	}
	return b, nil
}

// slackHead finds the first message that a run has posted in a thread of its own
// to a channel.
func slackHead(earlier []responder.Earlier, channel string) *responder.Earlier {
	i := slices.IndexFunc(earlier, func(e responder.Earlier) bool {
		thread, _ := e.Params["thread"].(bool)
		return thread && strings.TrimSpace(textAt(e.Params, "channel")) == channel && e.Result["ts"] != nil && e.Result["channel"] != nil
	})
	if i < 0 {
		return nil
	}
	return &earlier[i]
}

// payload is what is posted.
func (b *slackBot) payload() (map[string]any, error) {
	payload, err := b.chat.payload(b.call)
	if err != nil {
		return nil, err
	}
	payload["channel"] = b.channel
	if b.head != nil {
		payload["channel"], payload["thread_ts"] = b.head.Result["channel"], b.head.Result["ts"]
	}
	return payload, nil
}

// post posts the message and, of a reply, brings the thread's first message up
// to date. That the latter fails is told in the result: the message is there, and
// to fail would post it again.
func (b *slackBot) post(ctx context.Context) (responder.Result, error) {
	payload, err := b.payload()
	if err != nil {
		return nil, err
	}
	said, err := b.ask(ctx, "chat.postMessage", payload)
	if err != nil {
		return nil, err
	}
	result := responder.Result{"status": said.status, "channel": said.Channel, "ts": said.TS}
	if b.head == nil {
		if thread, _ := b.call.Params["thread"].(bool); thread {
			result["thread"] = said.TS
		}
		return result, nil
	}
	result["thread"], result["head"] = b.head.Result["ts"], "updated"
	if err := b.update(ctx); err != nil {
		result["head"] = "not updated: " + err.Error()
	}
	return result, nil
}

// update writes the thread's first message anew, with how far the run has come.
func (b *slackBot) update(ctx context.Context) error {
	first := b.call
	first.Params, first.Body, first.Question = b.head.Params, b.head.Body, nil
	payload, err := b.chat.payload(first)
	if err != nil {
		return err
	}
	if blocks, _ := payload["blocks"].([]any); len(blocks) > 0 && b.call.Progress != "" {
		at := min(1, len(blocks))
		blocks = slices.Insert(blocks, at, any(slackContext(exactSlack("Now: "+b.call.Progress))))
		payload["blocks"] = blocks
		if err := b.limit(payload); err != nil {
			return err
		}
	}
	payload["channel"], payload["ts"] = b.head.Result["channel"], b.head.Result["ts"]
	_, err = b.ask(ctx, "chat.update", payload)
	return err
}

// slackAnswer is what Slack's API says. https://docs.slack.dev/reference/methods/chat.postMessage
type slackAnswer struct {
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`

	status int
}

// What names a message.
var (
	slackTS = regexp.MustCompile(`^[0-9]{1,20}\.[0-9]{1,10}$`)
	slackID = regexp.MustCompile(`^[A-Z0-9]{1,30}$`)
)

// ask calls a method of Slack's API. It answers 200 also to what it refuses.
func (b *slackBot) ask(ctx context.Context, method string, payload any) (slackAnswer, error) {
	token, err := b.hook.refs.resolve(ctx, b.token)
	if err != nil {
		return slackAnswer{}, err
	}
	if strings.ContainsAny(token, " \r\n") {
		return slackAnswer{}, permanentf("%s does not hold a token", named(b.token, "token"))
	}
	base, err := b.hook.address(ctx, "api", b.at)
	if err != nil {
		return slackAnswer{}, err
	}
	body, err := encodeJSON(payload)
	if err != nil {
		return slackAnswer{}, permanentf("write the message: %w", err)
	}
	named := "Slack's " + method
	got, err := b.hook.send(ctx, request{
		address: base.JoinPath(url.PathEscape(method)), named: named, key: b.call.Key, body: body,
		header: map[string]string{"Authorization": "Bearer " + token}, hide: []string{token},
	})
	if err != nil {
		return slackAnswer{}, err
	}
	said := slackAnswer{status: got.status}
	if err := json.Unmarshal(got.body, &said); err != nil {
		return slackAnswer{}, transientf("%s answered what is no JSON", named)
	}
	switch {
	case said.OK && slackTS.MatchString(said.TS) && slackID.MatchString(said.Channel):
		return said, nil
	case said.OK:
		return slackAnswer{}, transientf("%s does not say which message it has posted", named)
	case slackPasses(said.Error):
		return slackAnswer{}, transientf("%s: %s", named, got.tell(said.Error))
	}
	return slackAnswer{}, permanentf("%s: %s", named, got.tell(said.Error))
}

// slackPasses tells the refusals that pass by themselves.
func slackPasses(code string) bool {
	switch code {
	case "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org":
		return true
	}
	return false
}
