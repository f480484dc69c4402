package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

// iamDisableAccessKeys turns a user's access keys off.
type iamDisableAccessKeys struct{ accessKeys }

var _ repair = (*iamDisableAccessKeys)(nil)

// Spec implements responder.Action.
func (a *iamDisableAccessKeys) Spec() responder.Spec {
	return responder.Spec{
		Name: "IAMDisableAccessKeys",
		Kind: responder.Repair,
		Doc:  "Makes access keys of an IAM user of the event's account inactive, all that are active or those that are named: what they sign is refused from then on.",
		Params: keyParams(responder.Param{
			Doc: "The keys' ids (AKIA…); all keys of the user if not given."}),
		Result: map[string]string{
			"user":     "the user's name",
			"disabled": "ids of the keys that this attempt made inactive",
			"already":  "true if there was no such user any more; else ids of the keys that were inactive",
			"missing":  "ids that were named, but are no keys of the user (any more)",
		},
		Permissions: []responder.Permission{{
			Actions: keyActions("iam:UpdateAccessKey"), Resources: []string{userARN},
		}},
		Inverse: "IAMEnableAccessKeys makes the keys active again that were.",
		Undo:    []string{"IAMEnableAccessKeys"},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *iamDisableAccessKeys) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	switch {
	case err != nil:
		return nil, err
	case found.user == nil:
		return found.gone()
	}
	disabled, gone, err := found.set(ctx, found.those(types.StatusTypeActive), types.StatusTypeInactive)
	if err != nil {
		return nil, err
	}
	result := responder.Result{"user": found.name}
	put(result, "disabled", disabled)
	put(result, "already", found.those(types.StatusTypeInactive))
	put(result, "missing", append(found.missing(), gone...))
	return result, nil
}

// Verify implements responder.Verifier: done if none of the keys is active.
func (a *iamDisableAccessKeys) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	return verdict(len(found.those(types.StatusTypeActive)) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *iamDisableAccessKeys) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	survey.Undo = found.undo("IAMEnableAccessKeys", found.those(types.StatusTypeActive))
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *iamDisableAccessKeys) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, keyActions("iam:UpdateAccessKey")...)
}

// Describe implements responder.Describer.
func (a *iamDisableAccessKeys) Describe(call responder.Call) string {
	return "disable " + describedKeys(call)
}
