package dynamodb_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/emulator"
)

// An ended run is recognised for thirty days, and then is as if it never was,
// whether DynamoDB has deleted it or not.
func TestEmulatedExpiry(t *testing.T) {
	client, c := connect(t), newClock()
	runs := dynamodb.NewRuns(client, create(t, client, dynamodb.RunsTable), c.Now)
	run := &responder.Run{V: 1, ID: "a", Token: "1", State: responder.RunSucceeded, Created: c.Now(), Updated: c.Now()}
	if err := runs.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	again := &responder.Run{V: 1, ID: "a", Token: "2", State: responder.RunRunning, Created: c.Now(), Updated: c.Now()}

	c.Advance(responder.RunRetention)
	if err := runs.Create(t.Context(), again); !errors.Is(err, responder.ErrExists) {
		t.Errorf("Create after thirty days: %v, want ErrExists", err)
	}
	c.Advance(time.Second)
	if _, err := runs.Get(t.Context(), "a"); !errors.Is(err, responder.ErrNotFound) {
		t.Errorf("Get of an expired run: %v, want ErrNotFound", err)
	}
	late := run.Clone()
	late.Token = "late"
	if err := runs.Save(t.Context(), late); !errors.Is(err, responder.ErrNotFound) {
		t.Errorf("Save of an expired run: %v, want ErrNotFound", err)
	}
	if page, err := runs.List(t.Context(), responder.RunQuery{}); err != nil || len(page.Runs) > 0 {
		t.Errorf("List of an expired run: %v, %v; want none", page, err)
	}
	if err := runs.Create(t.Context(), again); err != nil || again.Version != 1 {
		t.Errorf("Create over an expired run: %v, version %d", err, again.Version)
	}
	c.Advance(10 * responder.RunRetention)
	if _, err := runs.Get(t.Context(), "a"); err != nil {
		t.Errorf("Get of a run that still runs: %v", err)
	}
}

// lossy lets every request happen and loses the reply of each that changes
// something the first time, so that the SDK makes it again.
type lossy struct {
	mu   sync.Mutex
	lost map[string]bool
	next http.RoundTripper
}

func (l *lossy) Do(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	id := r.Header.Get("Amz-Sdk-Invocation-Id")
	l.mu.Lock()
	defer l.mu.Unlock()
	if (operation == "PutItem" || operation == "UpdateItem") && !l.lost[id] {
		l.lost[id] = true
		response.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return response, nil
}

func TestEmulatedLostReplies(t *testing.T) {
	client := connect(t)
	config := emulator.AWS(t)
	network := &lossy{lost: map[string]bool{}, next: http.DefaultTransport}
	config.HTTPClient = network
	config.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	}
	flaky := awsdynamodb.NewFromConfig(config)

	runs := dynamodb.NewRuns(flaky, create(t, client, dynamodb.RunsTable), time.Now)
	run := &responder.Run{V: 1, ID: "a", Token: "1", State: responder.RunRunning, Created: time.Now()}
	if err := runs.Create(t.Context(), run); err != nil || run.Version != 1 {
		t.Fatalf("Create: %v, version %d", err, run.Version)
	}
	for _, token := range []string{"2", "3"} {
		run.Token = token
		if err := runs.Save(t.Context(), run); err != nil {
			t.Fatalf("Save: %v", err)
		}
	}
	if got, err := runs.Get(t.Context(), "a"); err != nil || got.Version != 3 || got.Token != "3" {
		t.Errorf("Get: %+v, %v; want version 3", got, err)
	}

	counters := dynamodb.NewCounters(flaky, create(t, client, dynamodb.CountersTable), time.Now)
	for i, member := range []string{"a", "b"} {
		if n, admitted, err := counters.Add(t.Context(), "k", member, 2, time.Now().Add(time.Hour)); err != nil || n != i+1 || !admitted {
			t.Errorf("Add %s: %d, %v, %v; want %d, true", member, n, admitted, err, i+1)
		}
	}
	// Three writes of the run; an update in vain, the first member's write and an
	// update that finds it; the second member's update.
	if len(network.lost) != 7 {
		t.Errorf("%d replies were lost, want 7", len(network.lost))
	}
}

func TestEmulatedLargestCounter(t *testing.T) {
	client := connect(t)
	table := create(t, client, dynamodb.CountersTable)
	counters := dynamodb.NewCounters(client, table, time.Now)
	end := time.Now().Add(time.Hour)
	if _, _, err := counters.Add(t.Context(), strings.Repeat("k", 5_000), "first", 0, end); err != nil {
		t.Fatal(err)
	}
	scanned, err := client.Scan(t.Context(), &awsdynamodb.ScanInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	item := scanned.Items[0]
	set := item["members"].(*types.AttributeValueMemberBS)
	for i := range dynamodb.MaxMembers - 2 {
		set.Value = append(set.Value, append(binary.BigEndian.AppendUint64(nil, uint64(i)), "12345678"...))
	}
	if _, err := client.PutItem(t.Context(), &awsdynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		member   string
		n        int
		admitted bool
		want     error
	}{
		{"last", dynamodb.MaxMembers, true, nil},
		{"one more", dynamodb.MaxMembers, false, responder.ErrTooLarge},
		{"first", dynamodb.MaxMembers, true, nil},
	} {
		if n, admitted, err := counters.Add(t.Context(), strings.Repeat("k", 5_000), c.member, 0, end); n != c.n || admitted != c.admitted || !errors.Is(err, c.want) {
			t.Errorf("Add %s: %d, %v, %v; want %d, %v, %v", c.member, n, admitted, err, c.n, c.admitted, c.want)
		}
	}
}
