package actions

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/redact"
)

const (
	defaultWebhook = "env:WEBHOOK_URL"

	signatureHeader = "X-Responder-Signature"
	minSigningKey   = 16 // characters
)

// sendWebhook posts the finding as JSON to a service of the user's own.
type sendWebhook struct{ hook *webhook }

var (
	_ responder.Action    = (*sendWebhook)(nil)
	_ responder.Previewer = (*sendWebhook)(nil)
	_ responder.Describer = (*sendWebhook)(nil)
)

// Spec implements responder.Action.
func (a *sendWebhook) Spec() responder.Spec {
	return responder.Spec{
		Name: "SendWebhook",
		Kind: responder.Notice,
		Doc:  "Posts the finding, its event and which run it is of as JSON to an address of your own, signed if there is a key.",
		Params: []responder.Param{
			{Name: "url", Type: responder.TextParam, Static: true, Secret: true, Default: defaultWebhook,
				Doc: "The https address as env:NAME or secret:NAME; " + defaultWebhook + " if not given. http is taken for this machine alone."},
			{Name: "signingKey", Type: responder.TextParam, Static: true, Secret: true,
				Doc: "A key of 16 characters or more that both sides know, as secret:NAME or env:NAME. With it the request is signed."},
			{Name: "message", Type: responder.MessageParam,
				Doc: "A text, or header and values, sent beside the finding as `message`. A template goes before all of it."},
		},
		Result:    map[string]string{"status": "the HTTP status of the answer, a number"},
		Escape:    clean,
		Templates: true,
	}
}

// Do implements responder.Action. At least once; whoever remembers the header
// Idempotency-Key takes it once.
func (a *sendWebhook) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	payload, err := webhookPayload(call)
	if err != nil {
		return nil, err
	}
	ref, err := referenceParam(call, "url", defaultWebhook)
	if err != nil {
		return nil, err
	}
	address, err := a.hook.address(ctx, "url", ref)
	if err != nil {
		return nil, err
	}
	body, err := encodeJSON(payload)
	if err != nil {
		return nil, permanentf("write the finding: %w", err)
	}
	r := request{address: address, named: named(ref, "url"), key: call.Key, body: body, hide: redact.URL(address)}
	key, err := a.signingKey(ctx, call)
	if err != nil {
		return nil, err
	}
	if key != "" {
		r.header = map[string]string{signatureHeader: sign(key, a.hook.now().Unix(), body)}
		r.hide = append(r.hide, key)
	}
	got, err := a.hook.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return responder.Result{"status": got.status}, nil
}

// signingKey gives the key to sign with, "" if there is none.
func (a *sendWebhook) signingKey(ctx context.Context, call responder.Call) (string, error) {
	ref, err := referenceParam(call, "signingKey", "")
	if err != nil || ref == "" {
		return "", err
	}
	key, err := a.hook.refs.resolve(ctx, ref)
	if err != nil {
		return "", err
	}
	if len(key) < minSigningKey {
		return "", permanentf("%s: a key to sign with has %d characters or more", named(ref, "signingKey"), minSigningKey)
	}
	return key, nil
}

// sign gives the signature of a body that is sent at a moment, in Unix seconds:
// t=MOMENT,v1=HMAC-SHA256 of "MOMENT.BODY".
func sign(key string, at int64, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%d.", at)
	mac.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil)))
}

// Preview implements responder.Previewer.
func (a *sendWebhook) Preview(call responder.Call) (responder.Preview, error) {
	payload, err := webhookPayload(call)
	if err != nil {
		return responder.Preview{}, err
	}
	ref, err := referenceParam(call, "url", defaultWebhook)
	if err != nil {
		return responder.Preview{}, err
	}
	to := named(ref, "url")
	if key := textAt(call.Params, "signingKey"); key != "" {
		to += ", signed with " + named(key, "signingKey")
	}
	return responder.Preview{To: to, Payload: payload, Text: call.Prefix + title(call.Finding) + "\n" + clean(call.Finding.Message)}, nil
}

// Describe implements responder.Describer.
func (a *sendWebhook) Describe(call responder.Call) string { return "post " + headline(call) }

// webhookJSON is what is posted. Its keys stay what they are; new ones may come.
type webhookJSON struct {
	V        int               `json:"v"`
	Run      webhookRun        `json:"run"`
	Dry      bool              `json:"dry"` // of a run whose repairs were recorded, not done
	Account  string            `json:"account"`
	Region   string            `json:"region"`
	Message  *webhookMessage   `json:"message,omitempty"`
	Question *questionJSON     `json:"question,omitempty"`
	Left     *leftJSON         `json:"left_out,omitempty"` // it stands for others, which a limit left out, or is a warning
	Finding  responder.Finding `json:"finding"`            // the event in it, as it came
}

type webhookRun struct {
	ID   string `json:"id"`
	Step string `json:"step"`
	Flow string `json:"flow"`
}

type webhookMessage struct {
	Header string          `json:"header"`
	Values []webhookValues `json:"values,omitempty"`
}

type webhookValues struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// webhookPayload is the same at each attempt of a step.
func webhookPayload(call responder.Call) (any, error) {
	if call.Body != nil {
		return object(call.Body)
	}
	m, err := messageParam(call)
	if err != nil {
		return nil, err
	}
	payload := webhookJSON{
		V: 1, Dry: call.Prefix != "" && (call.Left == nil || call.Left.Guard == ""), Account: call.Account, Region: call.Region,
		Question: questionObject(call.Question), Left: leftObject(call.Left), Finding: call.Finding,
	}
	payload.Run.ID, payload.Run.Step = runOf(call)
	payload.Run.Flow = call.Flow
	if m.header != "" || len(m.values) > 0 {
		said := &webhookMessage{Header: m.header}
		for _, v := range m.values {
			said.Values = append(said.Values, webhookValues{v.label, v.value})
		}
		payload.Message = said
	}
	return payload, nil
}
