package actions

import (
	"context"

	"github.com/skycrafters/responder"
)

// s3BlockPublicAccess makes a bucket private, whatever its policy and ACLs say.
type s3BlockPublicAccess struct{ buckets }

var _ repair = (*s3BlockPublicAccess)(nil)

// Spec implements responder.Action.
func (a *s3BlockPublicAccess) Spec() responder.Spec {
	return responder.Spec{
		Name: "S3BlockPublicAccess",
		Kind: responder.Repair,
		Doc: "Blocks all public access to an S3 bucket of the event's account, by the four settings of its public access block: public ACLs and policies have no effect, and new ones are refused. " +
			"Policies and ACLs stay as they are; accounts that a policy names keep their access, unless the policy lets everybody in as well.",
		Params:      []responder.Param{bucketParam()},
		Result:      bucketResult(),
		Permissions: []responder.Permission{{Actions: bucketActions, Resources: []string{bucketARN}}},
		Inverse:     "S3SetPublicAccessBlock puts the settings back that were.",
		Undo:        []string{"S3SetPublicAccessBlock"},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *s3BlockPublicAccess) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	return a.do(ctx, a, call, blockAll)
}

// Verify implements responder.Verifier: done if all four settings are on, or the
// bucket is gone.
func (a *s3BlockPublicAccess) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	return a.verify(ctx, a, call, blockAll)
}

// Survey implements responder.Surveyor.
func (a *s3BlockPublicAccess) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	return a.look(ctx, a, call, blockAll)
}

// Describe implements responder.Describer.
func (a *s3BlockPublicAccess) Describe(call responder.Call) string {
	return "block public access to bucket " + inline(plain(call.Params["bucket"]))
}
