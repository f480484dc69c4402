package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
)

type quarantineAPI interface {
	GetUserPolicy(context.Context, *iam.GetUserPolicyInput, ...func(*iam.Options)) (*iam.GetUserPolicyOutput, error)
	PutUserPolicy(context.Context, *iam.PutUserPolicyInput, ...func(*iam.Options)) (*iam.PutUserPolicyOutput, error)
	DeleteUserPolicy(context.Context, *iam.DeleteUserPolicyInput, ...func(*iam.Options)) (*iam.DeleteUserPolicyOutput, error)
}

// The quarantine is an inline policy that denies everything: a deny goes before
// every allow, at once, for sessions that the user's keys began, too.
//
// AWS's own AWSCompromisedKeyQuarantineV3, which AWS attaches to users whose
// keys it finds in public, denies a list of what thieves of keys are seen to do
// (to start instances, to make users and keys …) and leaves the rest, reading
// and deleting of data with it, so as not to stop a business by surprise. Here a
// flow's author has decided that the user is to do nothing.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCompromisedKeyQuarantineV3.html
const (
	quarantineName   = "ResponderQuarantine"
	quarantinePolicy = `{"Version":"2012-10-17","Statement":[{"Sid":"ResponderQuarantine","Effect":"Deny","Action":"*","Resource":"*"}]}`
)

// quarantined is what stands on a user under the quarantine's name.
type quarantined struct {
	foundUser
	policy string // "" if there is none
}

func (q quarantined) is() bool { return samePolicy(q.policy, quarantinePolicy) }

// quarantine looks at the user that a call of an action is about. A user who is
// not there is in none.
func (u users) quarantine(ctx context.Context, by responder.Action, call responder.Call) (quarantined, error) {
	found, err := u.find(ctx, by, call)
	if err != nil || found.user == nil {
		return quarantined{foundUser: found}, err
	}
	out, err := found.api.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &found.name, PolicyName: aws.String(quarantineName)})
	switch {
	case hasCode(err, "NoSuchEntity"):
		return quarantined{foundUser: found}, nil
	case err != nil:
		return quarantined{}, awsError("iam:GetUserPolicy", err, reads)
	}
	return quarantined{found, policyText(aws.ToString(out.PolicyDocument))}, nil
}

// survey says whether the user is in quarantine.
func (q quarantined) survey(call responder.Call) responder.Survey {
	survey := q.foundUser.survey(call)
	if q.user == nil {
		return survey
	}
	survey.Found["quarantined"] = q.is()
	if q.policy != "" && !q.is() {
		survey.Lasting = []string{"what the user's inline policy " + quarantineName + " said: it was not Responder's"}
	}
	return survey
}

// undo gives the repair that puts the user in quarantine or lets it go.
func (q quarantined) undo(action string) []responder.Binding {
	return []responder.Binding{{Action: action, Params: q.params()}}
}
