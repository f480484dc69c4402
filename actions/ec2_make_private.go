package actions

import (
	"context"

	"github.com/skycrafters/responder"
)

// ec2MakePrivate takes from others the use of snapshots or images:
// EC2MakeSnapshotPrivate, EC2MakeImagePrivate.
type ec2MakePrivate struct{ sharing }

var _ repair = (*ec2MakePrivate)(nil)

// Spec implements responder.Action.
func (a *ec2MakePrivate) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2Make" + a.of.word + "Private",
		Kind: responder.Repair,
		Doc:  "Shares " + a.of.kind + "s of the event's account and region with nobody any more, or not with some; what others have copied or made of them stays theirs.",
		Params: []responder.Param{a.idsParam(), {Name: "from", Type: responder.ListParam,
			Doc: "From whom they are taken: `public` and account ids; from everybody if not given."}},
		Result: map[string]string{
			"private": "ids of those that this attempt took from somebody",
			"already": "ids of those that were shared with none of them",
			"missing": "ids that are not the account's, or nobody's (any more)",
		},
		Permissions: a.permissions([]string{a.of.arn}),
		Inverse:     "EC2Share" + a.of.word + " shares them again with those who had them; copies that others have made stay theirs.",
		Undo:        []string{"EC2Share" + a.of.word},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *ec2MakePrivate) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call, "from")
	if err != nil {
		return nil, err
	}
	done, same, missing, err := a.set(ctx, found, false)
	if err != nil {
		return nil, err
	}
	result := responder.Result{}
	put(result, "private", done)
	put(result, "already", same)
	put(result, "missing", missing)
	return result, nil
}

// Verify implements responder.Verifier: done if none is shared with those whom it
// is taken from.
func (a *ec2MakePrivate) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call, "from")
	todo, _, _ := found.split(false)
	return verdict(len(todo) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *ec2MakePrivate) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call, "from")
	if err != nil {
		return responder.Survey{}, err
	}
	return a.survey(call, found, false, "EC2Share"+a.of.word, "with"), nil
}

// Describe implements responder.Describer.
func (a *ec2MakePrivate) Describe(call responder.Call) string {
	would := "make " + a.of.kind + "s " + inline(plain(call.Params["ids"])) + " private"
	if from, given := call.Params["from"]; given {
		would += " to " + inline(plain(from))
	}
	return would
}
