// Package forwarders deploys forwarders, looks at them and removes them: the
// CloudFormation stacks that send what happens in a region home, one in each
// region of an account.
//
// Work on many regions is bounded in parallelism and goes on where one region
// fails; what it leaves undone, doing it again does. It ends early only where
// every region would fail alike: credentials that are no longer good.
//
// It imports the root, internal/stack for AWS's errors in words, and the AWS
// SDK. Deploying needs cloudformation:DescribeStacks, DescribeStackEvents,
// CreateStack, UpdateStack, DeleteStack, ContinueUpdateRollback and TagResource
// in each region, and whatever the template's resources take to be made.
package forwarders

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skycrafters/responder/internal/stack"
)

// Fleet is the forwarders of one account, one in each region.
type Fleet struct {
	// Open gives CloudFormation in a region.
	Open func(region string) Client
	// Stack is the name of each forwarder's stack.
	Stack string
	// Parallel is how many regions are worked on at a time; 0 means 8.
	Parallel int
	Now      func() time.Time
	// Sleep waits, or not longer than ctx, whose error it gives then.
	Sleep func(ctx context.Context, d time.Duration) error
	// Progress, if set, is told of each change of a region's state, one at a time.
	Progress func(Result)
}

// StackName names the forwarders' stacks of the Responder whose own stack is home.
func StackName(home string) string { return home + "-forwarder" }

const defaultParallel = 8

// Did is what became of a region.
type Did string

// What becomes of a region.
const (
	Created   Did = "created"
	Recreated Did = "recreated" // deleted, for it could not be updated, and created
	Updated   Did = "updated"
	Unchanged Did = "unchanged" // it was as it should be
	Removed   Did = "removed"
	None      Did = "none"     // there is no forwarder, and none was asked for
	Failed    Did = "failed"   // Result.Err says why
	UnderWay  Did = "underway" // begun and not awaited: CloudFormation goes on with it
	NotBegun  Did = "notbegun" // interrupted before
)

// Result is what became of one region.
type Result struct {
	Region string
	Stack  Stack // as last seen
	Did    Did
	Note   string // what else people should know, "" if nothing
	Err    error  // why it failed
}

// fine reports whether nothing is left to do.
func (r Result) fine() bool { return r.Did != Failed && r.Did != UnderWay && r.Did != NotBegun }

// Fine reports whether nothing is left to do in any region.
func Fine(results []Result) bool {
	for _, r := range results {
		if !r.fine() {
			return false
		}
	}
	return true
}

// Look sees how each region's forwarder is: None where there is none, else
// Unchanged, or Failed where that could not be seen. One request a region, and
// one or a few more for the cause where its stack has failed.
//
// As for Deploy and Remove: results are in the order of regions; the error is
// of what ended the work early, and the results are those so far.
func (f *Fleet) Look(ctx context.Context, regions []string) ([]Result, error) {
	return f.each(ctx, regions, (*work).inspect)
}

// Deploy makes each region's forwarder what is wanted: it creates it, updates
// it, waits for what is under way, and creates anew what cannot be updated.
func (f *Fleet) Deploy(ctx context.Context, regions []string, want Wanted) ([]Result, error) {
	return f.each(ctx, regions, func(w *work, ctx context.Context) error {
		w.hide = want.Key.Reveal()
		return w.deploy(ctx, want)
	})
}

// Remove deletes each region's forwarder.
func (f *Fleet) Remove(ctx context.Context, regions []string) ([]Result, error) {
	return f.each(ctx, regions, (*work).remove)
}

// each does something in all regions, some at a time.
func (f *Fleet) each(ctx context.Context, regions []string, do func(*work, context.Context) error) ([]Result, error) {
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		mu      sync.Mutex
		group   errgroup.Group
		results = make([]Result, len(regions))
	)
	tell := func(r Result) {
		if f.Progress != nil {
			mu.Lock()
			defer mu.Unlock()
			f.Progress(r)
		}
	}
	parallel := f.Parallel
	if parallel < 1 {
		parallel = defaultParallel
	}
	group.SetLimit(parallel)
	for i, region := range regions {
		group.Go(func() error {
			w := &work{fleet: f, tell: tell, result: Result{Region: region, Did: NotBegun}}
			if inner.Err() == nil {
				w.client = f.Open(region)
				err := do(w, inner)
				w.end(inner, err)
				if stack.Expired(err) {
					stop(stack.Explain(err))
				}
			}
			results[i] = w.result
			tell(w.result)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return results, err
	}
	if err := ctx.Err(); err != nil {
		return results, fmt.Errorf("interrupted: %w", err)
	}
	return results, context.Cause(inner)
}

// work is the work on one region. It belongs to one goroutine.
type work struct {
	fleet  *Fleet
	client Client
	tell   func(Result)
	hide   string // what no text may hold
	begun  bool   // CloudFormation was asked for a change
	result Result
}

// end judges the region by the error of what was done. What ends the work
// everywhere is not this region's failure.
func (w *work) end(ctx context.Context, err error) {
	var failure *Failure
	switch ended := ctx.Err() != nil || stack.Expired(err); {
	case err == nil:
	case !ended, errors.As(err, &failure):
		w.result.Did, w.result.Err = Failed, w.clean(err)
	case w.begun:
		w.result.Did = UnderWay
		w.note("CloudFormation goes on with it; the same command again takes it up")
	default:
		w.result.Did = NotBegun
	}
}

// note adds to what people should know.
func (w *work) note(format string, args ...any) {
	if w.result.Note != "" {
		w.result.Note += "; "
	}
	w.result.Note += fmt.Sprintf(format, args...)
}
