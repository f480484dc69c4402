package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/emulator"
)

// metered is the function as it is deployed, on an AWS that counts requests.
type metered struct {
	cloud   *emulator.Loopback
	now     time.Time
	handler lambda.Handler
}

// newMetered gives one with a flow called f, whose notices go to a service.
func newMetered(t *testing.T, flow string, service http.HandlerFunc) *metered {
	t.Helper()
	web := httptest.NewServer(service)
	t.Cleanup(web.Close)
	folder := t.TempDir()
	for name, text := range map[string]string{
		"rules.yml": "rules: {R: ok}\n",
		"flows.yml": "actions: {SendSlack: {webhookURL: \"env:HOOK\", message: x}}\nflows: [{name: f, rule: R, " + flow + "}]\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := &metered{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	m.cloud = emulator.NewStore(t, homeAWS(time.Now()))
	for name, value := range m.cloud.Env() {
		t.Setenv(name, value)
	}
	env := lambdastest.Environment(t, "DispatchFunction")
	maps.Copy(env, map[string]string{"HOOK": web.URL, "ALLOW_PRIVATE_HOSTS": "127.0.0.1", "MEMBER_ACCOUNTS": "111122223333"})
	host := lambdastest.HostAt(folder, io.Discard, env)
	host.AWS = m.cloud.Config()
	p, err := onAWS(host, func() time.Time { return m.now })
	if err != nil {
		t.Fatal(err)
	}
	if m.handler, err = newHandler(host, p); err != nil {
		t.Fatal(err)
	}
	return m
}

// costs has the function handle bells, as one batch, and gives the requests that
// took.
func (m *metered) costs(t *testing.T, bells ...responder.Bell) map[string]int {
	t.Helper()
	var deliveries []responder.Delivery
	for i, bell := range bells {
		body, err := bell.Encode()
		if err != nil {
			t.Fatal(err)
		}
		deliveries = append(deliveries, responder.Delivery{ID: fmt.Sprint(i), Receipt: "r", Body: body, Receives: 1})
	}
	return m.cloud.During(func() {
		answer, err := m.handler.Invoke(t.Context(), lambdastest.Batch(t, deliveries...))
		if err != nil || string(answer) != allHandled {
			t.Fatalf("answers %s, %v", answer, err)
		}
	})
}

// strikes are as many findings of the rule.
func strikes(n int) (bells []responder.Bell) {
	for i := range n {
		bells = append(bells, responder.Bell{Finding: &responder.Finding{
			Rule: "R", Title: "R", Severity: responder.High, Key: fmt.Sprint(i), Event: []byte(`{"account":"111122223333","time":"2026-03-01T12:00:00Z","detail":{}}`),
		}})
	}
	return bells
}

func well(http.ResponseWriter, *http.Request) {}

// TestRequests: what a finding costs, by what its flow does.
func TestRequests(t *testing.T) {
	const repair = "IAMDisableAccessKeys: {user: bob}"
	for what, flow := range map[string]string{
		"one notice":                       "sequential: [SendSlack: {}]",
		"three notices, one after another": "sequential: [SendSlack: {}, SendSlack: {}, SendSlack: {}]",
		"one notice, within its limit":     "limits: {notices: 20/1h}, sequential: [SendSlack: {}]",
		"one notice, with a cooldown":      "cooldown: {for: 1h}, sequential: [SendSlack: {}]",
		"a dry repair":                     "repairs: dry, sequential: [" + repair + "]",
		"a live repair":                    "repairs: live, sequential: [" + repair + "]",
	} {
		lambdastest.Costs(t, "dispatch: a finding of a flow with "+what, newMetered(t, flow, well).costs(t, strikes(1)...))
	}
}

// TestRequestsOfWakes: a run that waits costs a wake, and what that takes.
func TestRequestsOfWakes(t *testing.T) {
	m := newMetered(t, "sequential: [SendSlack: {}, wait: 1m, SendSlack: {}]", well)
	finding := strikes(1)[0]
	lambdastest.Costs(t, "dispatch: a finding of a flow with a notice and a wait", m.costs(t, finding))
	m.now = m.now.Add(time.Minute)
	wake := responder.Bell{Wake: finding.Finding.RunID("f")}
	lambdastest.Costs(t, "dispatch: the wake of a run that has a notice left", m.costs(t, wake))
	lambdastest.Costs(t, "dispatch: a wake of a run that has ended", m.costs(t, wake))
}

// TestRequestsOfABatch: findings of a batch cost as many as alone, at most; what
// they have in common is sent in one request.
func TestRequestsOfABatch(t *testing.T) {
	m := newMetered(t, "sequential: [SendSlack: {}, wait: 1m, SendSlack: {}]", well)
	counts := m.costs(t, strikes(10)...)
	if wakes := counts["SendMessageBatch"]; wakes < 1 || wakes > 10 || counts["GetItem"] != 10 || counts["PutItem"] != 20 || len(counts) != 3 {
		t.Errorf("ten findings cost %v", counts)
	}
}

// TestABatchIsDoneAtOnce: a slow notice of one run keeps no other run of its batch
// waiting.
func TestABatchIsDoneAtOnce(t *testing.T) {
	var meeting sync.WaitGroup
	meeting.Add(10)
	m := newMetered(t, "sequential: [SendSlack: {}]", func(_ http.ResponseWriter, r *http.Request) {
		meeting.Done()
		met := make(chan struct{})
		go func() { meeting.Wait(); close(met) }()
		select {
		case <-met:
		case <-time.After(10 * time.Second):
			t.Error("not all of the batch are told of at a time")
		}
	})
	m.costs(t, strikes(10)...)
}
