package dynamodb

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

// cancelledBy is a transaction that fails for reasons.
func cancelledBy(codes ...string) error {
	e := &types.TransactionCanceledException{}
	for _, code := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
	}
	return e
}

// TestAdmitMeetsOthers: whoever counts meanwhile is looked at again; what is
// full is not written, and any other fault is told.
func TestAdmitMeetsOthers(t *testing.T) {
	live := func(n int, after time.Duration) item {
		it := counter(n, after)
		for i := range n {
			it[attrMembers].(*types.AttributeValueMemberBS).Value[i] = []byte{byte(i), byte(i >> 8)}
		}
		it[attrKey] = text(digestOf("k"))
		return it
	}
	for name, c := range map[string]struct {
		stored   []item // at each look; the last again and again
		writes   []error
		left     int // looks that leave the item out
		admitted bool
		want     error
		wrote    int
	}{
		"the first":               {[]item{nil}, []error{nil}, 0, true, nil, 1},
		"over the one that ended": {[]item{live(5, 0)}, []error{nil}, 0, true, nil, 1},
		"beside others":           {[]item{live(3, time.Hour)}, []error{nil}, 0, true, nil, 1},
		"full":                    {[]item{live(4, time.Hour)}, nil, 0, false, nil, 0},
		"full by another":         {[]item{live(3, time.Hour), live(4, time.Hour)}, []error{cancelledBy("ConditionalCheckFailed")}, 0, false, nil, 1},
		"after another":           {[]item{live(1, time.Hour), live(2, time.Hour)}, []error{cancelledBy("None", "TransactionConflict"), nil}, 0, true, nil, 2},
		"in the midst of another": {[]item{live(1, time.Hour)}, []error{&types.TransactionConflictException{}, nil}, 0, true, nil, 2},
		"always another":          {[]item{live(1, time.Hour)}, []error{cancelledBy("ConditionalCheckFailed")}, 0, false, errAny, admitRounds},
		"throttled":               {[]item{nil}, []error{cancelledBy("ThrottlingError")}, 0, false, errAny, 1},
		"the write fails":         {[]item{nil}, []error{errFault}, 0, false, errFault, 1},
		"left out at first":       {[]item{nil}, []error{nil}, 2, true, nil, 1},
		"always left out":         {[]item{nil}, nil, 99, false, errAny, 0},
	} {
		t.Run(name, func(t *testing.T) {
			looks, left, wrote := 0, c.left, 0
			s := &script{
				batch: func(in *awsdynamodb.BatchGetItemInput) (*awsdynamodb.BatchGetItemOutput, error) {
					if left > 0 {
						left--
						return &awsdynamodb.BatchGetItemOutput{UnprocessedKeys: in.RequestItems}, nil
					}
					it := c.stored[min(looks, len(c.stored)-1)]
					looks++
					if it == nil {
						return &awsdynamodb.BatchGetItemOutput{}, nil
					}
					return &awsdynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{"counters": {it}}}, nil
				},
				write: func(*awsdynamodb.TransactWriteItemsInput) error {
					err := c.writes[min(wrote, len(c.writes)-1)]
					wrote++
					return err
				},
			}
			_, admitted, err := NewCounters(s, "counters", atNoon).Admit(t.Context(), responder.Claim{Key: "k", Members: []string{"x", "y"}, Limit: 5, Expires: noon.Add(time.Hour)})
			if admitted != c.admitted || wrote != c.wrote {
				t.Errorf("Admit: %v after %d writes; want %v after %d", admitted, wrote, c.admitted, c.wrote)
			}
			if c.want == errAny && err == nil || c.want != errAny && !errors.Is(err, c.want) {
				t.Errorf("Admit: %v, want %v", err, c.want)
			}
		})
	}
}
