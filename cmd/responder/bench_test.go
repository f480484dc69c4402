package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/sqlite"
)

// silent observes nothing.
type silent struct{}

func (silent) event(detect.Outcome)            {}
func (silent) run(*responder.Run)              {}
func (silent) met(responder.Finding, []string) {}

func benchPipeline(b *testing.B) (*app, *pipeline) {
	b.Helper()
	return benchPipelineWith(b, benchOptions{flows: repo + "flows.yml", mode: responder.ModeDry, watch: silent{}})
}

// benchOptions are what differs between what is measured.
type benchOptions struct {
	flows string // file
	mode  responder.Mode
	env   map[string]string
	watch observer
}

func benchPipelineWith(b *testing.B, o benchOptions) (*app, *pipeline) {
	b.Helper()
	a := &app{stdin: strings.NewReader(""), stdout: new(bytes.Buffer), stderr: new(bytes.Buffer), now: time.Now, getenv: func(name string) string { return o.env[name] }}
	if err := a.setOut(); err != nil {
		b.Fatal(err)
	}
	a.rules, a.flows = repo+"rules.yml", o.flows
	definitions, problems := wiring.Load(a.rules, a.flows, a.catalogue(nil))
	if problems.Err() != nil {
		b.Fatal(problems)
	}
	db, err := sqlite.Open(filepath.Join(b.TempDir(), dbFile), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	p, err := a.newPipeline(pipelineOptions{db: db, definitions: definitions, mode: o.mode, skipWaits: true, observer: o.watch, log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	return a, p
}

// record is a CloudTrail record of about 1.3 KB; one that matches creates a user
// against the naming convention.
func record(i int, matches bool) string {
	call, service := "DescribeInstances", "ec2"
	if matches {
		call, service = "CreateUser", "iam"
	}
	return fmt.Sprintf(`{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/ann","accountId":"111122223333","accessKeyId":"AKIAEXAMPLE","userName":"ann"},"eventTime":"2026-11-23T10:00:00Z","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.9","userAgent":"%s","requestParameters":{"userName":"bob%d"},"responseElements":null,"eventID":"e-%d","recipientAccountId":"111122223333"}`,
		service, call, strings.Repeat("x", 700), i, i)
}

// BenchmarkIngestToDurable is HTTP in → authenticated → normalised → on the
// queue with fsync, for bodies of 1 and 100 events, from 1 and 16 senders.
func BenchmarkIngestToDurable(b *testing.B) {
	for _, size := range []int{1, 100} {
		for _, senders := range []int{1, 16} {
			b.Run(fmt.Sprintf("batch %d, %d senders", size, senders), func(b *testing.B) {
				_, p := benchPipeline(b)
				if _, err := ensureKey(context.Background(), p.db.Secrets(), b.TempDir(), "bench-key"); err != nil {
					b.Fatal(err)
				}
				web := httptest.NewServer(ingest.Handler(p.ingest, ingest.HandlerOptions{Log: zerolog.Nop()}))
				defer web.Close()
				client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
				var body strings.Builder
				for i := range size {
					body.WriteString(record(i+1, false) + "\n")
				}
				b.SetParallelism(max(1, senders/2)) // times GOMAXPROCS
				if senders == 1 {
					for b.Loop() {
						post(b, client, web.URL, body.String())
					}
				} else {
					b.ResetTimer()
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							post(b, client, web.URL, body.String())
						}
					})
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

func post(b *testing.B, client *http.Client, url, body string) {
	request, err := http.NewRequest(http.MethodPost, url+"/events", strings.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	request.Header.Set("APIKey", "bench-key")
	response, err := client.Do(request)
	if err != nil {
		b.Error(err)
		return
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		b.Errorf("answer %s", response.Status)
	}
}

// BenchmarkPipeline is durable events → detected → runs stored, dry, with the
// shipped rules and flows and one match in a hundred.
func BenchmarkPipeline(b *testing.B) {
	const n = 2000
	_, p := benchPipeline(b)
	ctx := context.Background()
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		var messages []responder.Message
		for i := range n {
			event, err := ingest.Normalise([]byte(record(round*n+i, i%100 == 0)))
			if err != nil {
				b.Fatal(err)
			}
			messages = append(messages, responder.Message{Body: event.Raw})
		}
		if err := p.events.Send(ctx, messages...); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := p.drain(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
}
