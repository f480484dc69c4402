//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/ingest"
)

// counting observes how many events have been judged and how many runs have
// ended, and says when there are as many as are waited for.
type counting struct {
	left atomic.Int64
	done chan struct{}
}

func (c *counting) await(n int) { c.left.Add(int64(n)) }

func (c *counting) one() {
	if c.left.Add(-1) == 0 {
		c.done <- struct{}{}
	}
}

func (c *counting) event(detect.Outcome) { c.one() }

func (c *counting) met(responder.Finding, []string) {}

func (c *counting) run(r *responder.Run) {
	if r.State.Ended() {
		c.one()
	}
}

// BenchmarkEmbedded is the whole of `responder run`: HTTP in, bodies of 100
// events from four senders → durable, with fsync → detected → runs stored as
// ended, dry, with the shipped rules and flows. Of so many events one matches.
func BenchmarkEmbedded(b *testing.B) {
	for _, every := range []int{100, 10, 1} {
		b.Run(fmt.Sprintf("one match in %d", every), func(b *testing.B) { benchmarkEmbedded(b, every) })
	}
}

// benchServe serves a pipeline until the benchmark ends.
func benchServe(b *testing.B, p *pipeline, senders int) (client *http.Client, url string) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	if _, err := ensureKey(ctx, p.db.Secrets(), b.TempDir(), "bench-key"); err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = p.serve(ctx) })
	web := httptest.NewServer(ingest.Handler(p.ingest, ingest.HandlerOptions{Log: zerolog.Nop()}))
	b.Cleanup(func() {
		web.Close()
		stop()
		serving.Wait()
	})
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}, web.URL
}

func benchmarkEmbedded(b *testing.B, every int) {
	const senders, bodies, size = 4, 5, 100 // a turn
	watch := &counting{done: make(chan struct{}, 1)}
	_, p := benchPipelineWith(b, benchOptions{flows: repo + "flows.yml", mode: responder.ModeDry, watch: watch})
	client, url := benchServe(b, p, senders)
	n := 0
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		var posts [senders][]string
		matches := 0
		for i := range senders * bodies {
			var body strings.Builder
			for range size {
				body.WriteString(record(n, n%every == 0) + "\n")
				if n%every == 0 {
					matches++
				}
				n++
			}
			posts[i%senders] = append(posts[i%senders], body.String())
		}
		watch.await(senders*bodies*size + matches)
		before := spentByProcess(b)
		b.StartTimer()
		for _, mine := range posts {
			go func() {
				for _, body := range mine {
					post(b, client, url, body)
				}
			}()
		}
		<-watch.done
		b.StopTimer()
		spent += spentByProcess(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(spent.Microseconds())/float64(n), "cpu-µs/event") // the senders' too
}

// spentByProcess is the processor time that this process has used so far: what
// a busy machine does beside it is not in it.
func spentByProcess(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkFirstNotice is the time from the moment that an event is posted to an
// idle `responder run`, with fsync, to the moment that its first notice reaches
// a webhook on this machine: -benchtime 500x for 500 events.
func BenchmarkFirstNotice(b *testing.B) {
	const flows = "flows:\n  - name: tell\n    rule: NonCompliantUserCreated\n    sequential:\n      - SendWebhook: {}\n"
	file := filepath.Join(b.TempDir(), "flows.yml")
	if err := os.WriteFile(file, []byte(flows), 0o600); err != nil {
		b.Fatal(err)
	}
	told := make(chan time.Time, 1)
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- time.Now() }))
	defer sink.Close()
	watch := &counting{done: make(chan struct{}, 1)}
	_, p := benchPipelineWith(b, benchOptions{flows: file, mode: responder.ModeLive, watch: watch, env: map[string]string{"WEBHOOK_URL": sink.URL}})
	client, url := benchServe(b, p, 1)
	var took []time.Duration
	for b.Loop() {
		watch.await(2) // the event, and its run
		began := time.Now()
		post(b, client, url, record(len(took), true))
		select {
		case at := <-told:
			took = append(took, at.Sub(began))
		case <-time.After(30 * time.Second):
			b.Fatal("no notice has come")
		}
		<-watch.done
	}
	slices.Sort(took)
	for _, percent := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*percent/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", percent))
	}
}
