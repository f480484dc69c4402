package dynamodb

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

var virginia = responder.Place{Account: "012345670123", Region: "us-east-1"}

// sparing answers a BatchGetItem for one table with at most n of the items it
// is asked for, each with a beat at noon of an account of the item's number.
func sparing(t *testing.T, n int) func(*awsdynamodb.BatchGetItemInput) (*awsdynamodb.BatchGetItemOutput, error) {
	return func(in *awsdynamodb.BatchGetItemInput) (*awsdynamodb.BatchGetItemOutput, error) {
		wanted, ok := in.RequestItems["counters"]
		if !ok || len(in.RequestItems) != 1 || wanted.ConsistentRead == nil || !*wanted.ConsistentRead {
			t.Errorf("asks for %+v, want consistent reads of the counters table", in.RequestItems)
		}
		out := &awsdynamodb.BatchGetItemOutput{Responses: map[string][]item{}}
		for _, key := range wanted.Keys[:min(n, len(wanted.Keys))] {
			shard := strings.TrimPrefix(textOf(key, attrKey), heartPrefix)
			account := strings.Repeat("0", 12-len(shard)) + shard
			out.Responses["counters"] = append(out.Responses["counters"], item{
				attrKey: key[attrKey], account + "/us-east-1": number(noon.Unix()),
				"notes": text("a newer Responder's"), "x/y": number(1), account + "/eu-west-1": text("half past"),
			})
		}
		if rest := wanted.Keys[min(n, len(wanted.Keys)):]; len(rest) > 0 {
			wanted.Keys = rest
			out.UnprocessedKeys = map[string]types.KeysAndAttributes{"counters": wanted}
		}
		return out, nil
	}
}

// What DynamoDB leaves out is asked for again, after a rest.
func TestBeatsAsksAgain(t *testing.T) {
	for name, c := range map[string]struct {
		atOnce int
		took   time.Duration
	}{"all at once": {100, 0}, "in two halves": {8, 50 * time.Millisecond}, "in six": {3, 1550 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				beats, err := NewHeartbeats(&script{batch: sparing(t, c.atOnce)}, "counters").Beats(t.Context())
				if err != nil || len(beats) != heartShards || time.Since(began) != c.took {
					t.Errorf("%d beats, %v after %v; want %d after %v", len(beats), err, time.Since(began), heartShards, c.took)
				}
				for place, at := range beats {
					if place.Region != "us-east-1" || !at.Equal(noon.Truncate(time.Second)) {
						t.Errorf("%s was heard at %v", place, at)
					}
				}
			})
		})
	}
}

func TestBeatsFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if beats, err := NewHeartbeats(&script{batch: sparing(t, 1)}, "counters").Beats(t.Context()); err == nil || beats != nil {
			t.Errorf("with most items left out, it gives %v, %v", beats, err)
		}
		fault := func(*awsdynamodb.BatchGetItemInput) (*awsdynamodb.BatchGetItemOutput, error) { return nil, errFault }
		if _, err := NewHeartbeats(&script{batch: fault}, "counters").Beats(t.Context()); !errors.Is(err, errFault) {
			t.Errorf("without DynamoDB, it gives %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()
		if _, err := NewHeartbeats(&script{batch: sparing(t, 1)}, "counters").Beats(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("when time is over, it gives %v", err)
		}
	})
}

func TestBeatAnswers(t *testing.T) {
	for name, c := range map[string]struct{ reply, want error }{
		"stored": {nil, nil}, "a newer beat is known": {refused(nil), nil}, "a fault": {errFault, errFault},
	} {
		s := &script{update: func(*awsdynamodb.UpdateItemInput) (item, error) { return nil, c.reply }}
		if err := NewHeartbeats(s, "counters").Beat(t.Context(), virginia, noon); !errors.Is(err, c.want) {
			t.Errorf("%s: Beat gives %v, want %v", name, err, c.want)
		}
	}
}

func TestForgetAnswers(t *testing.T) {
	regions := map[string]bool{}
	for _, a := range "abcdefghijklmnop" {
		for _, b := range "abcdefghijklmnop" {
			regions["eu-"+string(a)+string(b)+"-1"] = true
		}
	}
	var places []responder.Place
	for region := range maps.Keys(regions) {
		places = append(places, responder.Place{Account: virginia.Account, Region: region})
	}
	for name, c := range map[string]struct {
		reply, want error
		calls       int
	}{"removed": {nil, nil, 3}, "never heard": {refused(nil), nil, 3}, "a fault": {errFault, errFault, 1}} {
		calls := 0
		s := &script{update: func(in *awsdynamodb.UpdateItemInput) (item, error) {
			calls++
			for mark, name := range in.ExpressionAttributeNames {
				if !regions[strings.TrimPrefix(name, virginia.Account+"/")] && mark != "#key" || !strings.Contains(*in.UpdateExpression+*in.ConditionExpression, mark) {
					t.Errorf("%s: %s stands for %s in %s", name, mark, name, *in.UpdateExpression)
				}
			}
			if len(*in.UpdateExpression) > 4<<10 {
				t.Errorf("%s: an expression of %d bytes", name, len(*in.UpdateExpression))
			}
			return nil, c.reply
		}}
		if err := NewHeartbeats(s, "counters").Forget(t.Context(), places...); !errors.Is(err, c.want) || calls != c.calls {
			t.Errorf("%s: Forget gives %v after %d calls, want %v after %d", name, err, calls, c.want, c.calls)
		}
	}
}
