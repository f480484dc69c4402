package stacktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
)

// secret reads the API key as the operator.
func (d *deployed) secret(t *testing.T) string {
	t.Helper()
	out, err := awssecrets.NewFromConfig(d.operator).GetSecretValue(t.Context(), &awssecrets.GetSecretValueInput{SecretId: &d.APIKeySecret})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.SecretString)
}

// post posts a body to the deployed API; like every sender, it does so again if
// that answers 503.
func (d *deployed) post(t *testing.T, key string, body []byte) (status int, answer string) {
	t.Helper()
	for range 3 {
		if status, answer = d.postOnce(t, key, body); status != http.StatusServiceUnavailable {
			break
		}
		d.ledger.fail()
		select {
		case <-time.After(time.Second):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	return status, answer
}

func (d *deployed) postOnce(t *testing.T, key string, body []byte) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.apiURL(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// send posts events in one request, which must be accepted whole, and enters
// them in the ledger.
func (d *deployed) send(t *testing.T, elements ...json.RawMessage) {
	t.Helper()
	body, err := json.Marshal(elements)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := d.post(t, d.key, body)
	var told struct {
		IDs      []string `json:"ids"`
		Accepted int      `json:"accepted"`
	}
	if err := json.Unmarshal([]byte(answer), &told); err != nil || status != http.StatusAccepted || told.Accepted != len(elements) || len(told.IDs) != len(elements) {
		t.Fatalf("%d events are answered %d %.300s", len(elements), status, answer)
	}
	d.ledger.accept(len(elements))
	for i, element := range elements {
		event, err := ingest.Normalise(element)
		if err != nil {
			t.Fatal(err)
		}
		if event.ID() != "" && told.IDs[i] != event.ID() {
			t.Errorf("event %d is accepted as %q, its id is %q", i, told.IDs[i], event.ID())
		}
		d.enter(t, event)
	}
}

// testKeys: wrong keys are refused, keys speak for their accounts alone, and a
// new key counts at once.
func testKeys(t *testing.T, d *deployed) {
	quiet := alike(t, sample(t, "instance-allowed.json"), 1)
	for name, key := range map[string]string{"no": "", "a wrong": "wrong", "almost the": d.key + "x"} {
		if status, answer := d.post(t, key, quiet); status != http.StatusUnauthorized {
			t.Errorf("%s key is answered %d %s", name, status, answer)
		}
	}
	d.send(t, quiet)

	elsewhere := "999999999999"
	secret, err := json.Marshal(map[string]any{"keys": []map[string]any{
		{"id": "all", "key": d.key},
		{"id": "one", "key": "a key that speaks for one account alone", "accounts": []string{elsewhere}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := awssecrets.NewFromConfig(d.root).PutSecretValue(t.Context(), &awssecrets.PutSecretValueInput{SecretId: &d.APIKeySecret, SecretString: aws.String(string(secret))}); err != nil {
		t.Fatal(err)
	}
	foreign := with(t, quiet, "account", elsewhere)
	foreign = with(t, foreign, "detail.recipientAccountId", elsewhere)
	await(t, 30*time.Second, func(context.Context) string {
		if status, answer := d.post(t, "a key that speaks for one account alone", foreign); status != http.StatusAccepted {
			return fmt.Sprintf("a new key, for its account, is answered %d %s", status, answer)
		}
		return ""
	})
	d.ledger.accept(1)
	status, answer := d.post(t, "a key that speaks for one account alone", quiet)
	if status != http.StatusForbidden || !strings.Contains(answer, "none of the key's") {
		t.Errorf("an event of another account is answered %d %s", status, answer)
	}
	both, err := json.Marshal([]json.RawMessage{foreign, quiet})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := d.post(t, "a key that speaks for one account alone", both); status != http.StatusForbidden {
		t.Errorf("an event of another account beside one of its own is answered %d %s", status, answer)
	}
	d.send(t, quiet) // the first key is still one
}

// testCanary: a canary beats for its place, and is no event for the rules.
func testCanary(t *testing.T, d *deployed) {
	place := responder.Place{Account: "999999999999", Region: "eu-north-1"}
	now := time.Now().UTC().Truncate(time.Second)
	canary := fmt.Appendf(nil, `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events","account":%q,"time":%q,"region":%q,"resources":["arn:aws:events:%s:%s:rule/%s-canary"],"detail":{}}`,
		place.Account, now.Format(time.RFC3339), place.Region, place.Region, place.Account, d.Name)
	d.send(t, canary)
	beats := d.heartbeats()
	await(t, time.Minute, func(ctx context.Context) string {
		heard, err := beats.Beats(ctx)
		if err != nil {
			return err.Error()
		}
		if at, ok := heard[place]; !ok || at.Before(now.Add(-time.Minute)) {
			return fmt.Sprintf("the canary of %v is not heard: %v", place, heard)
		}
		return ""
	})
}

// testBus: on the central event bus nobody but AWS itself can say that an event
// is AWS's, and what is not does not come to the events queue: neither event
// gives a run.
func testBus(t *testing.T, d *deployed) {
	entry := func(source string, n int) map[string]string {
		var event struct{ Detail json.RawMessage }
		if err := json.Unmarshal(alike(t, sample(t, "root-login.json"), n), &event); err != nil {
			t.Fatal(err)
		}
		return map[string]string{"EventBusName": d.EventBusARN, "Source": source, "DetailType": "AWS Console Sign In via CloudTrail", "Detail": string(event.Detail)}
	}
	var out struct {
		Entries []struct{ EventID, ErrorCode string }
	}
	err := d.call(t.Context(), "events", "AWSEvents.PutEvents", map[string]any{"Entries": []any{entry("aws.signin", 4), entry("com.example", 5)}}, &out)
	if err != nil || len(out.Entries) != 2 || out.Entries[0].ErrorCode == "" || out.Entries[1].ErrorCode != "" {
		t.Fatalf("forged, and of no interest: %+v, %v", out, err)
	}
}
