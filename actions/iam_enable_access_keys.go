package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

// iamEnableAccessKeys turns access keys on again.
type iamEnableAccessKeys struct{ accessKeys }

var _ repair = (*iamEnableAccessKeys)(nil)

// Spec implements responder.Action.
func (a *iamEnableAccessKeys) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMEnableAccessKeys",
		Kind: responder.Repair,
		Doc:  "Makes access keys of an IAM user of the event's account active again; one that is not there any more fails the step, after the others were done.",
		Params: keyParams(responder.Param{
			Required: true, Doc: "The keys' ids (AKIA…)."}),
		Result: map[string]string{
			"user":    "the user's name",
			"enabled": "ids of the keys that this attempt made active",
			"already": "ids of the keys that were active",
		},
		Permissions: []responder.Permission{{
			Actions: keyActions("iam:UpdateAccessKey"), Resources: []string{userARN},
		}},
		Inverse: "IAMDisableAccessKeys makes the keys inactive again that were.",
		Undo:    []string{"IAMDisableAccessKeys"},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamEnableAccessKeys) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.named(ctx, call)
	switch {
	case err != nil:
		return nil, err
	case found.another:
		return nil, errAnotherUser(found.userTarget)
	}
	enabled, gone, err := found.set(ctx, found.those(types.StatusTypeInactive), types.StatusTypeActive)
	if err != nil {
		return nil, err
	}
	already := found.those(types.StatusTypeActive)
	if gone = append(found.missing(), gone...); len(gone) > 0 {
		return nil, permanentf("not there any more: %s (active: %s)", listed(gone), listed(append(already, enabled...)))
	}
	result := responder.Result{"user": found.name}
	put(result, "enabled", enabled)
	put(result, "already", already)
	return result, nil
}

// named looks for the keys, which must be named: none never means all.
func (a *iamEnableAccessKeys) named(ctx context.Context, call responder.Call) (foundKeys, error) {
	if _, given := call.Params["keys"]; !given {
		return foundKeys{}, permanentf("no target: keys is empty or not a list of access key ids")
	}
	return a.find(ctx, a, call)
}

// Verify implements responder.Verifier: done if all the keys are active.
func (a *iamEnableAccessKeys) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.named(ctx, call)
	return verdict(len(found.those(types.StatusTypeActive)) == len(found.wanted), err)
}

// Survey implements responder.Surveyor.
func (a *iamEnableAccessKeys) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.named(ctx, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	survey.Undo = found.undo("IAMDisableAccessKeys", found.those(types.StatusTypeInactive))
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamEnableAccessKeys) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, keyActions("iam:UpdateAccessKey")...)
}

// Describe implements responder.Describer.
func (a *iamEnableAccessKeys) Describe(call responder.Call) string {
	return "enable " + describedKeys(call)
}
