package wiring

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/skycrafters/responder/actions"
)

// OwnRoles gives the ARNs of all that Responder acts as: its own roles or users,
// and beside them, in their partition, the member role of each account.
func OwnRoles(own []string, members actions.Members) []string {
	for _, text := range own {
		if known, err := arn.Parse(text); err == nil {
			return slices.Concat(own, members.Roles(known.Partition))
		}
	}
	return own
}
