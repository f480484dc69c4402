package actions

import (
	"context"
	"slices"

	"github.com/skycrafters/responder"
)

// change is one attempt to change the state of instances, and what became of each.
type change struct {
	operation string // "ec2:StopInstances"
	call      func(ctx context.Context, ids []string) error

	done, unknown, left []string
	missing             []string // EC2 does not know them any more
	worst               error
}

// all changes instances together, as many at once as a call takes.
func (c *change) all(ctx context.Context, ids []string) {
	for chunk := range slices.Chunk(ids, instancesAtOnce) {
		c.together(ctx, chunk)
	}
}

// together changes instances by one call, and one by one where one spoils it for
// all: EC2 spares every instance of a zone in which one is protected, and all if
// one is not there or not in a fitting state.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
func (c *change) together(ctx context.Context, ids []string) {
	if len(c.unknown) > 0 || ctx.Err() != nil {
		c.left = append(c.left, ids...)
		return
	}
	err := c.call(ctx, ids)
	switch {
	case err == nil:
		c.done = append(c.done, ids...)
	case len(ids) > 1 && isOfOneInstance(err):
		for _, id := range ids {
			c.together(ctx, []string{id})
		}
	case hasCode(err, "InvalidInstanceID.NotFound") && len(ids) == 1:
		c.missing = append(c.missing, ids...)
	default:
		err = awsError(c.operation, err, mutates)
		c.worst = graver(c.worst, err)
		if gravity(err) == gravityUnknown {
			c.unknown = append(c.unknown, ids...)
		} else {
			c.left = append(c.left, ids...)
		}
	}
}

// isOfOneInstance tells the refusals of a call that others of its instances may
// not be meant by: gone, protected, not in a fitting state, of a kind that cannot
// be stopped.
func isOfOneInstance(err error) bool {
	return hasCode(err, "InvalidInstanceID.NotFound", "OperationNotPermitted", "IncorrectInstanceState", "UnsupportedOperation", "IncorrectSpotRequestState")
}

// err says what was done and what was not, nil if all was.
func (c *change) err(ctx context.Context) error {
	return halfway(ctx, c.worst, c.done, c.unknown, c.left)
}

// statePermissions are those of an action on instances: to look at any, and actions on them.
func statePermissions(actions ...string) []responder.Permission {
	return []responder.Permission{
		{Actions: []string{"ec2:DescribeInstances"}, Resources: []string{"*"}},
		{Actions: actions, Resources: []string{instanceARN}},
	}
}
