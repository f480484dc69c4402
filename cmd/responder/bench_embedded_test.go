//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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

func benchmarkEmbedded(b *testing.B, every int) {
	const senders, bodies, size = 4, 5, 100 // a turn
	watch := &counting{done: make(chan struct{}, 1)}
	_, p := benchPipelineWith(b, watch)
	ctx, stop := context.WithCancel(b.Context())
	if _, err := ensureKey(ctx, p.db.Secrets(), b.TempDir(), "bench-key"); err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = p.serve(ctx) })
	defer serving.Wait()
	defer stop()
	web := httptest.NewServer(ingest.Handler(p.ingest, ingest.HandlerOptions{Log: zerolog.Nop()}))
	defer web.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
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
					post(b, client, web.URL, body)
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
