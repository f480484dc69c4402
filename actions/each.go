package actions

import (
	"context"
	"fmt"
)

// each does something to each of several things, to as many as it can: one that
// is refused does not keep it from the others, an unknown outcome or the end of
// ctx does. The error decides for all, and names what was done and what was not.
func each(ctx context.Context, ids []string, do func(ctx context.Context, id string) error) (done []string, err error) {
	var worst error
	var unknown, left []string
	for i, id := range ids {
		err := do(ctx, id)
		worst = graver(worst, err)
		switch gravity(err) {
		case gravityNone:
			done = append(done, id)
		case gravityUnknown:
			unknown = append(unknown, id)
		default:
			left = append(left, id)
		}
		if len(unknown) > 0 || ctx.Err() != nil {
			left = append(left, ids[i+1:]...)
			break
		}
	}
	if worst == nil && len(left) == 0 {
		return done, nil
	}
	if worst == nil {
		worst = transientf("broken off: %w", ctx.Err())
	}
	return done, fmt.Errorf("%w (done: %s; not known: %s; not done: %s)", worst, listed(done), listed(unknown), listed(left))
}
