package actions

import (
	"context"
	"encoding/json"

	"github.com/skycrafters/responder"
)

// chat is a notice to a chat service that takes JSON at an incoming webhook.
// The services differ in a few functions, each over the service's own JSON
// (maps, lists, texts as encoding/json decodes them), changed in place.
type chat struct {
	name    string
	service string // as people call it
	address string // the reference used where no webhookURL is given
	escape  func(string) string
	reread  func(string) string                                       // what was escaped, as it was: for people at a terminal
	compose func(finding responder.Finding, m message) map[string]any // without a template
	ask     func(payload map[string]any, q *responder.Question)       // puts a question before all else
	leave   func(payload map[string]any, left *responder.Left)        // says for what others it stands
	mark    func(payload map[string]any, prefix string)               // puts a prefix before the visible text
	limit   func(payload map[string]any) error                        // keeps the service's limits
	read    func(payload map[string]any) string                       // what people would read
	hook    *webhook
}

var (
	_ responder.Action    = (*chat)(nil)
	_ responder.Previewer = (*chat)(nil)
)

// Spec implements responder.Action.
func (c *chat) Spec() responder.Spec {
	return responder.Spec{
		Name: c.name,
		Kind: responder.Notice,
		Doc:  "Posts the finding, a message of the flow's own or a template to " + c.service + ".",
		Params: []responder.Param{
			{Name: "webhookURL", Type: responder.TextParam, Static: true, Secret: true, Default: c.address,
				Doc: "The incoming webhook's https address as env:NAME or secret:NAME; " + c.address + " if not given. http is taken for this machine alone."},
			{Name: "message", Type: responder.MessageParam,
				Doc: "What to say in place of the finding's title and message: a text, or header and values. A template goes before it."},
		},
		Result:    map[string]string{"status": "the HTTP status of the answer, a number"},
		Escape:    c.escape,
		Templates: true,
	}
}

// Do implements responder.Action. At least once: the services do not know
// Idempotency-Key, so a message whose answer was lost is posted again.
func (c *chat) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	payload, err := c.payload(call)
	if err != nil {
		return nil, err
	}
	ref, err := referenceParam(call, "webhookURL", c.address)
	if err != nil {
		return nil, err
	}
	status, err := c.hook.post(ctx, call.Key, "webhookURL", ref, payload)
	if err != nil {
		return nil, err
	}
	return responder.Result{"status": status}, nil
}

// Preview implements responder.Previewer.
func (c *chat) Preview(call responder.Call) (responder.Preview, error) {
	payload, err := c.payload(call)
	if err != nil {
		return responder.Preview{}, err
	}
	ref, err := referenceParam(call, "webhookURL", c.address)
	if err != nil {
		return responder.Preview{}, err
	}
	return responder.Preview{To: named(ref, "webhookURL"), Payload: payload, Text: c.read(payload)}, nil
}

// payload is the message as it is sent.
func (c *chat) payload(call responder.Call) (map[string]any, error) {
	payload, err := c.draft(call)
	if err != nil {
		return nil, err
	}
	if call.Question != nil {
		c.ask(payload, call.Question)
	}
	if call.Left != nil {
		c.leave(payload, call.Left)
	}
	if call.Prefix != "" {
		c.mark(payload, call.Prefix)
	}
	if err := c.limit(payload); err != nil {
		return nil, err
	}
	return payload, nil
}

func (c *chat) draft(call responder.Call) (map[string]any, error) {
	if call.Body != nil {
		return object(call.Body)
	}
	m, err := messageParam(call)
	if err != nil {
		return nil, err
	}
	return c.compose(call.Finding, m), nil
}

// object gives a rendered template as JSON decodes it: a copy, in plain types.
func object(body any) (map[string]any, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, permanentf("template: %w", err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(data, &decoded); err != nil || decoded == nil {
		return nil, permanentf("template: it does not give an object at the top")
	}
	return decoded, nil
}

// The rest reads and changes decoded JSON without caring what is missing.

// textAt gives what stands at a key as text: a template's text that is exactly
// one {{ expr }} keeps the expression's type.
func textAt(m map[string]any, key string) string { return plain(m[key]) }

func mapAt(m map[string]any, key string) map[string]any {
	inner, _ := m[key].(map[string]any)
	return inner
}

// mapsAt gives the objects in the list at a key; what is no object is left out.
func mapsAt(m map[string]any, key string) []map[string]any {
	list, _ := m[key].([]any)
	var found []map[string]any
	for _, v := range list {
		if object, ok := v.(map[string]any); ok {
			found = append(found, object)
		}
	}
	return found
}

// keep puts back the objects that may stay, at most max, or removes the key if
// none may. A key that was absent stays so.
func keep(m map[string]any, key string, max int, stays func(map[string]any) bool) {
	if m[key] == nil {
		return
	}
	var kept []any
	for _, object := range mapsAt(m, key) {
		if len(kept) < max && stays(object) {
			kept = append(kept, object)
		}
	}
	if kept == nil {
		delete(m, key)
		return
	}
	m[key] = kept
}

// shorten applies a cut to the text at a key and removes it if nothing is left;
// it reports whether a text stands there.
func shorten(m map[string]any, key string, shortened func(string) string) bool {
	text := shortened(textAt(m, key))
	if text == "" {
		delete(m, key)
		return false
	}
	m[key] = text
	return true
}
