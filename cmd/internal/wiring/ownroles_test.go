package wiring_test

import (
	"slices"
	"testing"

	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
)

func TestOwnRoles(t *testing.T) {
	members := actions.Members{Role: "m", Accounts: []string{"111122223333", "444455556666"}}
	const own = "arn:aws-cn:iam::111122223333:role/responder-dispatch"
	for _, test := range []struct {
		own     []string
		members actions.Members
		want    []string
	}{
		{[]string{own}, actions.Members{}, []string{own}},
		{[]string{own}, members, []string{own, "arn:aws-cn:iam::111122223333:role/m", "arn:aws-cn:iam::444455556666:role/m"}},
		{[]string{"", own}, members, []string{"", own, "arn:aws-cn:iam::111122223333:role/m", "arn:aws-cn:iam::444455556666:role/m"}},
		{nil, members, nil},
	} {
		if got := wiring.OwnRoles(test.own, test.members); !slices.Equal(got, test.want) {
			t.Errorf("%v and %v: got %v, want %v", test.own, test.members, got, test.want)
		}
	}
}
