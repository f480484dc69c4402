package dynamodb

import (
	"errors"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

// counter is the item of a counter with n members that ends after a while.
func counter(n int, after time.Duration) item {
	return item{attrMembers: &types.AttributeValueMemberBS{Value: make([][]byte, n)}, attrUntil: text(stamp(noon.Add(after)))}
}

var errAny = errors.New("any")

func TestAdd(t *testing.T) {
	type reply struct {
		it  item
		err error
	}
	for name, c := range map[string]struct {
		limit    int
		updates  []reply // one after the other; the last again and again
		puts     []error
		n        int
		admitted bool
		want     error // errAny: whichever
	}{
		"counted":                {5, []reply{{counter(3, time.Hour), nil}}, nil, 3, true, nil},
		"the first":              {5, []reply{{nil, refused(nil)}}, []error{nil}, 1, true, nil},
		"the first after an end": {5, []reply{{nil, refused(counter(5, 0))}}, []error{nil}, 1, true, nil},
		"full":                   {5, []reply{{nil, refused(counter(5, 1))}}, nil, 5, false, nil},
		"fuller than the limit":  {5, []reply{{nil, refused(counter(9, 1))}}, nil, 9, false, nil},
		"another was first":      {5, []reply{{nil, refused(nil)}, {counter(2, time.Hour), nil}}, []error{refused(nil)}, 2, true, nil},
		"its own lost reply":     {1, []reply{{nil, refused(nil)}, {counter(1, time.Hour), nil}}, []error{refused(nil)}, 1, true, nil},
		"always another":         {5, []reply{{nil, refused(nil)}}, []error{refused(nil)}, 0, false, errAny},
		"as many as an item has": {0, []reply{{nil, refused(counter(MaxMembers, 1))}}, nil, MaxMembers, false, responder.ErrTooLarge},
		"a limit beyond an item": {MaxMembers + 1, []reply{{nil, refused(counter(MaxMembers, 1))}}, nil, MaxMembers, false, responder.ErrTooLarge},
		"the largest limit":      {MaxMembers, []reply{{nil, refused(counter(MaxMembers, 1))}}, nil, MaxMembers, false, nil},
		"the update fails":       {5, []reply{{nil, errFault}}, nil, 0, false, errFault},
		"the first write fails":  {5, []reply{{nil, refused(nil)}}, []error{errFault}, 0, false, errFault},
	} {
		t.Run(name, func(t *testing.T) {
			updates, puts := 0, 0
			s := &script{
				update: func(*awsdynamodb.UpdateItemInput) (item, error) {
					r := c.updates[min(updates, len(c.updates)-1)]
					updates++
					return r.it, r.err
				},
				put: func(*awsdynamodb.PutItemInput) error {
					err := c.puts[min(puts, len(c.puts)-1)]
					puts++
					return err
				},
			}
			n, admitted, err := NewCounters(s, "counters", atNoon).Add(t.Context(), "key", "member", c.limit, noon.Add(time.Hour))
			if n != c.n || admitted != c.admitted {
				t.Errorf("Add: %d, %v; want %d, %v", n, admitted, c.n, c.admitted)
			}
			if c.want == errAny {
				if err == nil || updates > 10 {
					t.Errorf("Add: %v after %d rounds, want it to give up", err, updates)
				}
			} else if !errors.Is(err, c.want) {
				t.Errorf("Add: %v, want %v", err, c.want)
			}
		})
	}
}

// The largest counter is an item that DynamoDB takes.
func TestLargestCounterFits(t *testing.T) {
	const itemLimit = 400 << 10
	element := len(digest("member")) + 1 // and a byte for its type
	if size := MaxMembers*element + maxName + 256; size > itemLimit {
		t.Errorf("a counter of %d members takes %d bytes, DynamoDB takes %d", MaxMembers, size, itemLimit)
	}
}

func TestCountersEndNoEarlierThanSaid(t *testing.T) {
	s := &script{update: func(*awsdynamodb.UpdateItemInput) (item, error) { return nil, refused(nil) }}
	end := noon.Add(time.Hour)
	if _, _, err := NewCounters(s, "counters", atNoon).Add(t.Context(), "key", "member", 1, end); err != nil {
		t.Fatal(err)
	}
	if expires, ok := numberOf(s.puts[0], attrExpires); !ok || time.Unix(expires, 0).Before(end) {
		t.Errorf("may be deleted at %v, ends at %v", time.Unix(expires, 0), end)
	}
	if got := textOf(s.puts[0], attrUntil); got != stamp(end) {
		t.Errorf("ends at %s, want %s", got, stamp(end))
	}
}
