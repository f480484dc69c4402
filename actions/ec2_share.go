package actions

import (
	"context"

	"github.com/skycrafters/responder"
)

// ec2Share gives others the use of snapshots or images: EC2ShareSnapshot,
// EC2ShareImage.
type ec2Share struct{ sharing }

var _ repair = (*ec2Share)(nil)

// Spec implements responder.Action.
func (a *ec2Share) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2Share" + a.of.word,
		Kind: responder.Repair,
		Doc:  "Shares " + a.of.kind + "s of the event's account and region with others: what EC2Make" + a.of.word + "Private took from them.",
		Params: []responder.Param{a.idsParam(), {Name: "with", Type: responder.ListParam, Required: true, Static: true,
			Doc: "With whom they are shared: `public` and account ids."}},
		Result: map[string]string{
			"shared":  "ids of those that this attempt shared with somebody",
			"already": "ids of those that were shared with all of them",
		},
		Permissions: a.permissions([]string{a.of.arn}),
		Inverse:     "EC2Make" + a.of.word + "Private; copies that others have made stay theirs.",
		Undo:        []string{"EC2Make" + a.of.word + "Private"},
	}
}

// find looks for the things and those with whom they are to be shared.
func (a *ec2Share) find(ctx context.Context, call responder.Call) (foundShares, error) {
	if _, given := call.Params["with"]; !given {
		return foundShares{}, permanentf("no target: with is empty or not a list of public, accounts")
	}
	return a.sharing.find(ctx, a, call, "with")
}

// Do implements responder.Action. It can be repeated.
func (a *ec2Share) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, call)
	if err != nil {
		return nil, err
	}
	done, same, missing, err := a.set(ctx, found, true)
	if len(missing) > 0 {
		err = both(err, halfway(ctx, permanentf("not there any more: %s", listed(missing)), done, nil, missing))
	}
	if err != nil {
		return nil, err
	}
	result := responder.Result{}
	put(result, "shared", done)
	put(result, "already", same)
	return result, nil
}

// Verify implements responder.Verifier: done if all are shared with all of them.
func (a *ec2Share) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, call)
	todo, _, missing := found.split(true)
	return verdict(len(todo)+len(missing) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *ec2Share) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, call)
	if err != nil {
		return responder.Survey{}, err
	}
	return a.survey(call, found, true, "EC2Make"+a.of.word+"Private", "from"), nil
}

// Describe implements responder.Describer.
func (a *ec2Share) Describe(call responder.Call) string {
	return "share " + a.of.kind + "s " + inline(plain(call.Params["ids"])) + " with " + inline(plain(call.Params["with"]))
}
