package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skycrafters/responder"
)

// PagerDuty's limits in characters; an event has at most 512 KB, from which the
// bounds on texts keep far away.
// https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
const (
	pagerSummary = 1024
	pagerKey     = 255
	pagerShort   = 255  // source, component, group, class
	pagerDetail  = 4000 // one of the custom details
	pagerDetails = 50   // of them
	pagerList    = 100  // resources that are named
)

const (
	defaultPagerDuty  = "https://events.pagerduty.com/v2/enqueue"
	defaultRoutingKey = "env:PAGERDUTY_ROUTING_KEY"
)

// sendPagerDuty opens, acknowledges or resolves an alert of a service in
// PagerDuty, one alert a run.
type sendPagerDuty struct{ hook *webhook }

var (
	_ responder.Action    = (*sendPagerDuty)(nil)
	_ responder.Previewer = (*sendPagerDuty)(nil)
	_ responder.Describer = (*sendPagerDuty)(nil)
	_ responder.Closer    = (*sendPagerDuty)(nil)
)

// Spec implements responder.Action.
func (a *sendPagerDuty) Spec() responder.Spec {
	return responder.Spec{
		Name: "SendPagerDuty",
		Kind: responder.Notice,
		Doc:  "Opens an alert in PagerDuty, or acknowledges or resolves the one that the same run has opened.",
		Params: []responder.Param{
			{Name: "routingKey", Type: responder.TextParam, Static: true, Secret: true, Default: defaultRoutingKey,
				Doc: "The integration key of the service (Events API v2) as secret:NAME or env:NAME; " + defaultRoutingKey + " if not given."},
			{Name: "event", Type: responder.TextParam, Static: true, Default: "trigger",
				Doc: "`trigger`, `acknowledge` or `resolve`; trigger if not given."},
			{Name: "message", Type: responder.MessageParam,
				Doc: "Of a trigger, what to say in place of the finding's title: a text, or header and values, which become details."},
			{Name: "url", Type: responder.TextParam, Static: true, Default: defaultPagerDuty,
				Doc: "Where the Events API is; " + defaultPagerDuty + " if not given, https://events.eu.pagerduty.com/v2/enqueue in the EU."},
		},
		Result: map[string]string{"status": "the HTTP status of the answer, a number", "dedup_key": "the alert's key: the run's id"},
		Escape: lines,
	}
}

// Do implements responder.Action. It may be done again without harm: PagerDuty
// takes events of one dedup_key for one alert.
func (a *sendPagerDuty) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	event, err := pagerEvent(call)
	if err != nil {
		return nil, err
	}
	ref, at, err := pagerTo(call)
	if err != nil {
		return nil, err
	}
	key, err := a.hook.refs.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	address, err := a.hook.address(ctx, "url", at)
	if err != nil {
		return nil, err
	}
	event["routing_key"] = key
	body, err := encodeJSON(event)
	if err != nil {
		return nil, permanentf("write the event: %w", err)
	}
	got, err := a.hook.send(ctx, request{address: address, named: "PagerDuty", key: call.Key, body: body, hide: []string{key}})
	if err != nil {
		return nil, err
	}
	var said struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(got.body, &said); err != nil || said.Status != "success" {
		return nil, transientf("PagerDuty answered %d, and not that the event was taken", got.status)
	}
	return responder.Result{"status": got.status, "dedup_key": event["dedup_key"]}, nil
}

// Preview implements responder.Previewer.
func (a *sendPagerDuty) Preview(call responder.Call) (responder.Preview, error) {
	event, err := pagerEvent(call)
	if err != nil {
		return responder.Preview{}, err
	}
	ref, at, err := pagerTo(call)
	if err != nil {
		return responder.Preview{}, err
	}
	key := named(ref, "routingKey")
	event["routing_key"] = "[" + key + "]"
	text := textAt(event, "event_action") + " " + textAt(event, "dedup_key")
	if payload := mapAt(event, "payload"); payload != nil {
		text = textAt(payload, "summary") + "\n" + textAt(payload, "severity") + " · " + textAt(payload, "source")
	}
	return responder.Preview{To: at + ", key " + key, Payload: event, Text: text}, nil
}

// Describe implements responder.Describer.
func (a *sendPagerDuty) Describe(call responder.Call) string {
	event, err := pagerAction(call)
	if err != nil || event == "trigger" {
		return "page " + headline(call)
	}
	return event + " the run's alert"
}

// Closes implements responder.Closer: acknowledging or resolving an alert tells
// nobody anything new.
func (a *sendPagerDuty) Closes(call responder.Call) bool {
	event, err := pagerAction(call)
	return err == nil && event != "trigger"
}

func pagerTo(call responder.Call) (key, address string, err error) {
	if key, err = referenceParam(call, "routingKey", defaultRoutingKey); err != nil {
		return "", "", err
	}
	address, err = referenceParam(call, "url", defaultPagerDuty)
	return key, address, err
}

func pagerAction(call responder.Call) (string, error) {
	event, err := referenceParam(call, "event", "trigger")
	if err != nil {
		return "", err
	}
	switch event {
	case "trigger", "acknowledge", "resolve":
		return event, nil
	}
	return "", permanentf("event is %.40q; there are trigger, acknowledge and resolve", event)
}

// pagerEvent is what is sent, but for the routing key.
func pagerEvent(call responder.Call) (map[string]any, error) {
	action, err := pagerAction(call)
	if err != nil {
		return nil, err
	}
	run, _ := runOf(call)
	if run == "" {
		return nil, permanentf("there is no run whose alert this could be")
	}
	event := map[string]any{"event_action": action, "dedup_key": cut(inline(run), pagerKey)}
	if action != "trigger" {
		return event, nil
	}
	m, err := messageParam(call)
	if err != nil {
		return nil, err
	}
	event["client"] = "Responder"
	event["payload"] = pagerPayload(call, m)
	return event, nil
}

func pagerPayload(call responder.Call, m message) map[string]any {
	f := call.Finding
	summary := inline(m.header)
	if summary == "" {
		summary = title(f)
	}
	place := strings.Trim(inline(call.Account+"/"+call.Region), "/")
	if place == "" {
		place = "responder"
	}
	left := pagerLeft(call)
	payload := map[string]any{
		"summary":        cut(call.Prefix+summary, pagerSummary-len(left)) + left,
		"source":         cut(place, pagerShort),
		"severity":       pagerSeverity(f.Severity),
		"class":          cut(inline(f.Rule), pagerShort),
		"custom_details": pagerDetailsOf(call, m),
	}
	if call.Account != "" {
		payload["group"] = cut(inline(call.Account), pagerShort)
	}
	if len(f.Resources) > 0 {
		payload["component"] = cut(inline(f.Resources[0]), pagerShort)
	}
	return payload
}

// pagerLeft ends the summary of an alert that stands for others.
func pagerLeft(call responder.Call) string {
	switch {
	case call.Left == nil || call.Left.N == 0:
		return ""
	case call.Left.AtLeast:
		return fmt.Sprintf(" (and at least %d more)", call.Left.N)
	}
	return fmt.Sprintf(" (and %d more)", call.Left.N)
}

// pagerDetailsOf are the details below an alert.
func pagerDetailsOf(call responder.Call, m message) map[string]any {
	f := call.Finding
	details := map[string]any{
		"message": cut(lines(f.Message), pagerDetail), "rule": f.Rule, "severity": f.Severity.String(), "flow": call.Flow,
		"account": call.Account, "region": call.Region,
	}
	details["run"], _ = runOf(call)
	if len(f.Resources) > 0 {
		shown := f.Resources[:min(len(f.Resources), pagerList)]
		resources := make([]any, len(shown))
		for i, r := range shown {
			resources[i] = cut(inline(r), pagerShort)
		}
		details["resources"] = resources
		if more := len(f.Resources) - len(shown); more > 0 {
			details["resources_more"] = more
		}
	}
	for _, v := range m.values {
		if len(details) < pagerDetails && v.label != "" {
			details[cut(v.label, pagerShort)] = cut(v.value, pagerDetail)
		}
	}
	if call.Left != nil {
		details["left_out"] = cut(lines(call.Left.Text), pagerDetail)
	}
	if call.Question != nil {
		details["question"] = cut(strings.Join(putting(call.Question, lines).lines(), "\n"), pagerDetail)
	}
	for key, value := range details {
		if text, ok := value.(string); ok {
			details[key] = clean(text)
		}
	}
	return details
}

// pagerSeverity is PagerDuty's word for a severity.
func pagerSeverity(s responder.Severity) string {
	switch {
	case s >= responder.VeryHigh:
		return "critical"
	case s >= responder.High:
		return "error"
	case s >= responder.Medium:
		return "warning"
	}
	return "info"
}
