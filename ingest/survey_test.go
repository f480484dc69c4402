package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// byMap is Normalise by way of encoding/json's map alone: slow and plain. It
// gives what the message is, and what its sender's key has to speak for.
func byMap(element []byte) (raw []byte, id, account string, recipient any, err error) {
	if err := responder.CheckNesting(element); err != nil {
		return nil, "", "", nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, element); err != nil {
		return nil, "", "", nil, err
	}
	if err := checkSize(compact.Len()); err != nil {
		return nil, "", "", nil, err
	}
	e, err := responder.DecodeEvent(compact.Bytes())
	if err != nil {
		return nil, "", "", nil, err
	}
	if !eventByMap(e.Body) {
		if e, err = recordByMap(e); err != nil {
			return nil, "", "", nil, err
		}
	}
	detail, _ := e.Body["detail"].(map[string]any)
	return e.Raw, e.ID(), e.Account(), detail["recipientAccountId"], nil
}

func textByMap(body map[string]any, key string) string {
	text, _ := body[key].(string)
	return text
}

func eventByMap(body map[string]any) bool {
	_, isObject := body["detail"].(map[string]any)
	return isObject && textByMap(body, "source") != "" && textByMap(body, "detail-type") != ""
}

func recordByMap(record responder.Event) (responder.Event, error) {
	body := record.Body
	service, _, _ := strings.Cut(textByMap(body, "eventSource"), ".")
	if _, hasDetail := body["detail"]; hasDetail || textByMap(body, "eventName") == "" || textByMap(body, "eventSource") == "" || !isLabel(service) {
		return responder.Event{}, fmt.Errorf("neither an event nor a record")
	}
	account := textByMap(body, "recipientAccountId")
	if account == "" {
		identity, _ := body["userIdentity"].(map[string]any)
		account = textByMap(identity, "accountId")
	}
	envelope := []any{"0", textByMap(body, "eventID"), detailType(textByMap(body, "eventType")), "aws." + service, account, textByMap(body, "eventTime"), textByMap(body, "awsRegion"), []any{}, json.RawMessage(record.Raw)}
	raw := []byte("{")
	for i, key := range []string{"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"} {
		value := envelope[i]
		quoted, ok := value.(json.RawMessage)
		if text, isText := value.(string); isText {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(text); err != nil {
				return responder.Event{}, err
			}
			quoted, ok = responder.EscapeNoncharacters(bytes.TrimSpace(b.Bytes())), true
		}
		if !ok {
			quoted = json.RawMessage("[]")
		}
		raw = fmt.Appendf(raw, "%q:%s,", key, quoted)
	}
	raw[len(raw)-1] = '}'
	if err := checkSize(len(raw)); err != nil {
		return responder.Event{}, err
	}
	return responder.DecodeEvent(raw)
}

// sameAsByMap holds what a look at the bytes gives to what the map gives.
func sameAsByMap(t *testing.T, element []byte) {
	t.Helper()
	if !json.Valid(element) {
		return
	}
	raw, id, account, recipient, wrong := byMap(element)
	n, err := normalise(bytes.Clone(element))
	if (err == nil) != (wrong == nil) {
		t.Fatalf("%.300q: %v; by the map %v", element, err, wrong)
	}
	if err != nil {
		return
	}
	named := recipient != nil
	text, _ := recipient.(string)
	if !bytes.Equal(n.raw, raw) || n.id != id || n.account != account || (n.recipient != nil) != named || named && unquoted(n.recipient) != text {
		t.Fatalf("%.300q\n     gives %.300s, id %q, account %q, recipient %s\nby the map %.300s, id %q, account %q, recipient %v", element, n.raw, n.id, n.account, n.recipient, raw, id, account, recipient)
	}
}

var trickyElements = []string{
	record3, event1, event3, "[]", " [1]", "null", "{}", " { } ", "1", `"x"`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","n":1e400}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","n":-1.5E+300,"m":[0.1e-5]}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","n":` + strings.Repeat("9", 400) + `}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","n":` + strings.Repeat("9", 300) + `.5}`,
	`{"eventSource":"iam.amazonaws.com","eventN\u0061me":"x","eventName":null}`,
	`{"eventSource":"iam.amazonaws.com","eventName":null,"eventN\u0061me":"x\ud800"}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x\\","eventID":"\\\"","awsRegion":"é\u2028"}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","userIdentity":{"accountId":"1"},"userIdentity":{"accountId":2}}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","userIdentity":{"accountId":"1","accountId":"2","a":{"accountId":"3"}}}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","userIdentity":["accountId","1"],"recipientAccountId":""}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","recipientAccountId":7}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","recipientAccountId":"1","recipientAccountId":null}`,
	`{"source":"a","detail-type":"b","detail":{"recipientAccountId":"1","x":{"recipientAccountId":"2"}},"account":"3"}`,
	`{"source":"a","detail-type":"b","detail":{"recipientAccountId":["}",{"a":"]"}]}}`,
	`{"source":"a","detail-type":"b","detail":{"recipientAccountId":"1"},"detail":{}}`,
	`{"source":"a","detail-type":"b","detail":{},"detail":null}`,
	`{"source":"a","detail-type":"b","detail":{ "a" : [ 1 , "x y\"" ] } , "id":"\t"}`,
	`{"source":"` + "\uFFFE" + `","detail-type":"b","detail":{}}`, `{"source":"\uFFFE","detail-type":"b","detail":{}}`,
	`{"eventSource":"iam.amazonaws.com","eventName":"x","eventID":"\uFFFF"}`,
	`{"source":"` + "\xff" + `","detail-type":"b","detail":{}}`,
	`{"source":"a","detail-type":"b","detail":{"":{},"\"":[[],{}],"e":"1e400","E":true,"f":false}}`,
}

// TestSameAsByMap: what is read off the bytes is what decoding says, for
// elements with tricks in them and for what comes of mixing those.
func TestSameAsByMap(t *testing.T) {
	for _, element := range trickyElements {
		sameAsByMap(t, []byte(element))
	}
	random := rand.New(rand.NewPCG(1, 2))
	var parts []string
	for _, element := range trickyElements {
		inner := strings.Trim(element, " {}")
		parts = append(parts, strings.SplitAfter(inner, ",")...)
	}
	valid := 0
	for range 50_000 {
		var b strings.Builder
		for range 2 + random.IntN(5) {
			b.WriteString(strings.TrimSuffix(parts[random.IntN(len(parts))], ",") + ",")
		}
		element := []byte("{" + strings.TrimSuffix(b.String(), ",") + strings.Repeat("}", 1+random.IntN(2)))
		if json.Valid(element) {
			valid++
		}
		sameAsByMap(t, element)
	}
	if valid < 1000 {
		t.Errorf("only %d of the mixtures were JSON", valid)
	}
}

// FuzzNormalise is the same for whatever comes to the fuzzer's mind.
func FuzzNormalise(f *testing.F) {
	for _, element := range trickyElements {
		f.Add([]byte(element))
	}
	f.Fuzz(sameAsByMap)
}
