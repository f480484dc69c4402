package sqlite_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/sqlite"
)

// benchBody is as long as the middle CloudTrail event is.
var benchBody = bytes.Repeat([]byte("x"), 1260)

func batch(n int) []responder.Message {
	messages := make([]responder.Message, n)
	for i := range messages {
		messages[i].Body = benchBody
	}
	return messages
}

// benchmarkSend measures events made durable, one fsync shared or not.
func benchmarkSend(b *testing.B, size, senders int) {
	q := openAt(b, newPath(b), time.Now).Queue("events", sqlite.QueueOptions{})
	messages := batch(size)
	b.ResetTimer()
	errs := make(chan error, senders)
	for s := range senders {
		go func() {
			var err error
			for i := s; i < b.N && err == nil; i += senders {
				err = q.Send(b.Context(), messages...)
			}
			errs <- err
		}()
	}
	for range senders {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkSend1(b *testing.B)             { benchmarkSend(b, 1, 1) }
func BenchmarkSend1From16(b *testing.B)       { benchmarkSend(b, 1, 16) }
func BenchmarkSend1From64(b *testing.B)       { benchmarkSend(b, 1, 64) }
func BenchmarkSendBatch100(b *testing.B)      { benchmarkSend(b, 100, 1) }
func BenchmarkSendBatch100From4(b *testing.B) { benchmarkSend(b, 100, 4) }

// BenchmarkReceiveAck measures a message's way out of the queue, at several
// sizes of batch and with 100,000 delayed ones beside it.
func BenchmarkReceiveAck(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		for _, delayed := range []int{0, 100_000} {
			b.Run(fmt.Sprintf("batch=%d/delayed=%d", size, delayed), func(b *testing.B) {
				q := openAt(b, newPath(b), time.Now).Queue("events", sqlite.QueueOptions{})
				later := batch(1000)
				for i := range later {
					later[i].Delay = responder.MaxDelay
				}
				for range delayed / len(later) {
					if err := q.Send(b.Context(), later...); err != nil {
						b.Fatal(err)
					}
				}
				for b.Loop() {
					b.StopTimer()
					if err := q.Send(b.Context(), batch(size)...); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					deliveries, err := q.Receive(b.Context(), size, 0)
					if err != nil || len(deliveries) != size {
						b.Fatalf("Receive gave %d, %v", len(deliveries), err)
					}
					if err := q.Ack(b.Context(), deliveries...); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// BenchmarkRun measures a run's life of three writes.
func BenchmarkRun(b *testing.B) {
	runs := openAt(b, newPath(b), time.Now).Runs()
	now := time.Now()
	for i := 0; b.Loop(); i++ {
		run := &responder.Run{
			V: 1, ID: fmt.Sprint(i), Token: "a", State: responder.RunRunning, Due: now, Created: now, Updated: now,
			Finding: responder.Finding{Rule: "r", Severity: responder.High, Event: []byte(`{"account":"1","x":"` + string(benchBody) + `"}`)},
		}
		if err := runs.Create(b.Context(), run); err != nil {
			b.Fatal(err)
		}
		for _, token := range []string{"b", "c"} {
			run.Token = token
			if err := runs.Save(b.Context(), run); err != nil {
				b.Fatal(err)
			}
		}
	}
}
