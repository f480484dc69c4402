package actions

import (
	"context"
	"strings"

	"github.com/skycrafters/responder"
)

// s3SetPublicAccessBlock gives a bucket the public access block that it is told.
type s3SetPublicAccessBlock struct{ buckets }

var _ repair = (*s3SetPublicAccessBlock)(nil)

// Spec implements responder.Action.
func (a *s3SetPublicAccessBlock) Spec() responder.Spec {
	params := []responder.Param{bucketParam()}
	for _, p := range blockParams {
		params = append(params, responder.Param{Name: p.name, Type: responder.BoolParam, Static: true, Doc: p.doc + " Not if not given."})
	}
	return responder.Spec{
		Name:        "S3SetPublicAccessBlock",
		Kind:        responder.Repair,
		Doc:         "Gives the public access block of an S3 bucket of the event's account the four settings that are written out; where all are off, the bucket has none afterwards, which is the same.",
		Params:      params,
		Result:      bucketResult(),
		Permissions: []responder.Permission{{Actions: bucketActions, Resources: []string{bucketARN}}},
		Inverse:     "The same, with the settings that it found.",
		Undo:        []string{"S3SetPublicAccessBlock"},
	}
}

// wanted reads the parameters that make up the block.
func (a *s3SetPublicAccessBlock) wanted(call responder.Call) (block, error) {
	var b block
	for _, p := range blockParams {
		value, given := call.Params[p.name]
		on, isBool := value.(bool)
		if given && !isBool {
			return block{}, permanentf("%s is neither true nor false", p.name)
		}
		*p.of(&b) = on
	}
	return b, nil
}

// Do implements responder.Action. It can be repeated.
func (a *s3SetPublicAccessBlock) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	want, err := a.wanted(call)
	if err != nil {
		return nil, err
	}
	return a.do(ctx, a, call, want)
}

// Verify implements responder.Verifier: done if the four settings are so, or the
// bucket is gone.
func (a *s3SetPublicAccessBlock) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	want, err := a.wanted(call)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	return a.verify(ctx, a, call, want)
}

// Survey implements responder.Surveyor.
func (a *s3SetPublicAccessBlock) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	want, err := a.wanted(call)
	if err != nil {
		return responder.Survey{}, err
	}
	return a.look(ctx, a, call, want)
}

// Describe implements responder.Describer.
func (a *s3SetPublicAccessBlock) Describe(call responder.Call) string {
	var on []string
	for _, p := range blockParams {
		if call.Params[p.name] == true {
			on = append(on, p.name)
		}
	}
	would := "take the public access block off"
	if len(on) > 0 {
		would = "set " + strings.Join(on, ", ") + " alone on"
	}
	return would + " bucket " + inline(plain(call.Params["bucket"]))
}
