package actions

import (
	"context"
	"fmt"
	"strings"
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
	return done, halfway(ctx, worst, done, unknown, left)
}

// halfway gives the error of what was done to some of several things only, that
// decides for all: nil if none is left.
func halfway(ctx context.Context, worst error, done, unknown, left []string) error {
	if worst == nil && len(left) == 0 {
		return nil
	}
	if worst == nil {
		worst = transientf("broken off: %w", ctx.Err())
	}
	return fmt.Errorf("%w (done: %s; not known: %s; not done: %s)", worst, listed(done), listed(unknown), listed(left))
}

// listed gives ids for a text, cut where they are very many.
func listed(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return cut(strings.Join(ids, ", "), 1000)
}
