package stacktest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/skycrafters/responder/internal/metrics"
)

// told is the sum of every metric, by name or by "name/value" of the dimension
// beside Stack, and how many lines told it.
type told struct{ sum, lines map[string]float64 }

// testMetrics: what the functions told of themselves agrees with what they did.
// (What a killed function had counted is lost with it.)
func testMetrics(t *testing.T, d *deployed) {
	var ingest, detect, dispatch told
	await(t, 30*time.Second, func(ctx context.Context) string { // logs arrive after the answer
		ingest, detect, dispatch = d.metrics(ctx, t, "ingest"), d.metrics(ctx, t, "detect"), d.metrics(ctx, t, "dispatch")
		if got, want := ingest.sum[string(metrics.EventsAccepted)], float64(d.ledger.accepted); got != want {
			return fmt.Sprintf("EventsAccepted is %v, %v were accepted", got, want)
		}
		return ""
	})
	runs := float64(len(d.ledger.runs))
	for _, check := range []struct {
		what        string
		got         float64
		least, most float64
	}{
		{"RequestsRefused", ingest.sum["RequestsRefused"], 5, 100},
		{"RequestsFailed", ingest.sum["RequestsFailed"], float64(d.ledger.failed), float64(d.ledger.failed + 6)}, // those of `responder send`
		{"Events", detect.sum["Events"], float64(d.ledger.accepted - 1), 1e6},                                    // all but the canary
		{"Canaries", detect.sum["Canaries"], 1, 100},
		{"Findings", detect.sum["Findings"], runs, 1e6},
		{"Findings of RootLogin", detect.sum["Findings/RootLogin"], 6, 1e6},
		{"RuleErrors", detect.sum["RuleErrors"], 0, 0},
		{"lines of RuleErrors", detect.lines["RuleErrors"], 1, 1e6},
		{"DeadLetters of events", detect.sum["DeadLetters/events"], 2, 10},
		{"lines of QueueLag of events", detect.lines["QueueLag/events"], 1, 1e6},
		{"Runs made", dispatch.sum["Runs/created"], 1, runs - 1}, // the test made one
		{"Runs succeeded", dispatch.sum["Runs/succeeded"], 1, runs},
		{"Duplicates", dispatch.sum["Duplicates"], 1, 1e6},
		{"Due", dispatch.sum["Due"], 3, 1e6},
		{"lines of FailedRuns", dispatch.lines["FailedRuns"], 1, 1e6},
		{"DarkForwarders", dispatch.sum["DarkForwarders"], 0, 0},
		{"lines of DarkForwarders", dispatch.lines["DarkForwarders"], 1, 1e6},
		{"lines of StepLatency of SendSlack", dispatch.lines["StepLatency/SendSlack"], 1, 1e6},
	} {
		if check.got < check.least || check.got > check.most {
			t.Errorf("%s: %v, want %v to %v", check.what, check.got, check.least, check.most)
		}
	}
	if d.ledger.failed > 0 {
		shown(t, "%d requests were answered 503, and sent again:", d.ledger.failed)
		d.complaints(t, "ingest")
	}
	shown(t, "EventsAccepted %v, Events %v, Findings %v, Runs made %v, Duplicates %v, Due %v", ingest.sum["EventsAccepted"],
		detect.sum["Events"], detect.sum["Findings"], dispatch.sum["Runs/created"], dispatch.sum["Duplicates"], dispatch.sum["Due"])
}

// metrics adds up the embedded metrics in a function's log.
func (d *deployed) metrics(ctx context.Context, t *testing.T, function string) told {
	t.Helper()
	sums := told{map[string]float64{}, map[string]float64{}}
	for _, line := range d.log(ctx, t, function) {
		var document map[string]json.RawMessage
		if !strings.Contains(line, `"_aws"`) || json.Unmarshal([]byte(line), &document) != nil {
			continue
		}
		var header struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		}
		if err := json.Unmarshal(document["_aws"], &header); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, directive := range header.CloudWatchMetrics {
			if directive.Namespace != metrics.Namespace {
				t.Errorf("namespace %q: %s", directive.Namespace, line)
			}
			for _, dimensions := range directive.Dimensions {
				suffix := ""
				for _, dimension := range dimensions {
					var value string
					if err := json.Unmarshal(document[dimension], &value); err != nil {
						t.Fatalf("dimension %s: %v: %s", dimension, err, line)
					}
					if dimension == metrics.Stack {
						if value != d.Name {
							t.Errorf("Stack is %q: %s", value, line)
						}
						continue
					}
					suffix = "/" + value
				}
				for _, metric := range directive.Metrics {
					sums.lines[metric.Name+suffix]++
					sums.sum[metric.Name+suffix] += number(t, document[metric.Name])
				}
			}
		}
	}
	return sums
}

// number is a metric's value; of a list of values, their sum.
func number(t *testing.T, raw json.RawMessage) (sum float64) {
	t.Helper()
	var values []float64
	if json.Unmarshal(raw, &sum) == nil {
		return sum
	}
	var several struct{ Values []float64 }
	if json.Unmarshal(raw, &values) != nil && json.Unmarshal(raw, &several) != nil {
		t.Fatalf("%s is no number", raw)
	}
	for _, value := range append(values, several.Values...) {
		sum += value
	}
	return sum
}

// log reads all lines of a function's log. (CloudWatch Logs without its client,
// which nothing else needs.)
func (d *deployed) log(ctx context.Context, t *testing.T, function string) (lines []string) {
	t.Helper()
	for token := ""; ; {
		request := map[string]any{"logGroupName": "/aws/lambda/" + d.Name + "-" + function}
		if token != "" {
			request["nextToken"] = token
		}
		var page struct {
			Events    []struct{ Message string }
			NextToken string
		}
		if err := d.call(ctx, "logs", "Logs_20140328.FilterLogEvents", request, &page); err != nil {
			t.Fatal(err)
		}
		for _, event := range page.Events {
			lines = append(lines, strings.Split(event.Message, "\n")...)
		}
		if token = page.NextToken; token == "" {
			return lines
		}
	}
}

// call makes a request of AWS's JSON protocol.
func (d *deployed) call(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	who, err := d.root.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, who, req, hex.EncodeToString(digest[:]), service, d.Region, time.Now()); err != nil {
		return err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", target, resp.Status, answer)
	}
	return json.Unmarshal(answer, out)
}
