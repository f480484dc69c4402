package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

type rolesAPI interface {
	GetRole(context.Context, *iam.GetRoleInput, ...func(*iam.Options)) (*iam.GetRoleOutput, error)
	GetRolePolicy(context.Context, *iam.GetRolePolicyInput, ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error)
	PutRolePolicy(context.Context, *iam.PutRolePolicyInput, ...func(*iam.Options)) (*iam.PutRolePolicyOutput, error)
	DeleteRolePolicy(context.Context, *iam.DeleteRolePolicyInput, ...func(*iam.Options)) (*iam.DeleteRolePolicyOutput, error)
}

const roleARN = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*"

// roles is what the actions on sessions of IAM roles have in common.
//
// Sessions cannot be ended, but denied: by an inline policy that denies
// everything to those whose token was issued before a moment, as the console's
// "revoke active sessions" does. It has another name than the console's
// AWSRevokeOlderSessions, so that nobody's decision is taken back by the other.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
type roles struct{ *access }

const (
	revocationName = "ResponderRevokeOlderSessions"
	revocationTime = "2006-01-02T15:04:05.000Z"
)

// revocation is the policy that denies sessions older than a moment.
func revocation(before time.Time) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"DateLessThan":{"aws:TokenIssueTime":%q}}}]}`,
		before.UTC().Format(revocationTime))
}

// revokedBefore reads a revocation back; false if the policy is another.
func revokedBefore(policy string) (time.Time, bool) {
	var document struct {
		Statement []struct {
			Condition struct {
				DateLessThan map[string]string
			}
		}
	}
	if json.Unmarshal([]byte(policy), &document) != nil || len(document.Statement) != 1 {
		return time.Time{}, false
	}
	before, err := time.Parse(time.RFC3339, document.Statement[0].Condition.DateLessThan["aws:TokenIssueTime"])
	return before, err == nil && samePolicy(policy, revocation(before))
}

// roleParams are the parameters that name a role.
func roleParams() []responder.Param {
	return []responder.Param{
		{Name: "role", Type: responder.TextParam, Required: true, Doc: "The role's name, without path."},
		{Name: "id", Type: responder.TextParam, Doc: "The role's unique id (AROA…); if given, a new role of the same name is left alone."},
	}
}

// foundRole is the role that a call is about, as IAM knows it now.
type foundRole struct {
	name    string
	role    *types.Role // nil: there is none any more, or another has its name
	another bool        // a new role has the name of the one that is meant
	api     IAMAPI
	policy  string    // the revocation's, "" if there is none
	before  time.Time // sessions from before that moment are denied; zero if not by Responder
}

// find looks for the role that a call of an action is about.
func (r roles) find(ctx context.Context, by responder.Action, call responder.Call) (foundRole, error) {
	name, id, err := roleParam(call)
	if err != nil {
		return foundRole{}, err
	}
	api, err := client(ctx, r.access, r.aws.IAM, by, call, "")
	if err != nil {
		return foundRole{}, err
	}
	found := foundRole{name: name, api: api}
	out, err := api.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	switch {
	case hasCode(err, "NoSuchEntity"):
		return found, nil
	case err != nil:
		return foundRole{}, awsError("iam:GetRole", err, reads)
	case out.Role == nil:
		return foundRole{}, transientf("iam:GetRole: the answer holds no role")
	case id != "" && aws.ToString(out.Role.RoleId) != id:
		found.another = true
		return found, nil
	}
	found.role = out.Role
	policy, err := api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: aws.String(revocationName)})
	switch {
	case hasCode(err, "NoSuchEntity"):
		return found, nil
	case err != nil:
		return foundRole{}, awsError("iam:GetRolePolicy", err, reads)
	}
	found.policy = policyText(aws.ToString(policy.PolicyDocument))
	if before, ok := revokedBefore(found.policy); ok {
		found.before = before
	}
	return found, nil
}

// roleParam reads the parameters `role` and `id`, as userParam does.
func roleParam(call responder.Call) (name, id string, err error) {
	if name, err = textTarget(call, "role", roleName); err != nil {
		return "", "", err
	}
	if _, given := call.Params["id"]; given {
		id, err = textTarget(call, "id", userID)
	}
	return name, id, err
}

// gone gives what Do does where the role is not there: a success, unless a new
// role has the name, which is left alone.
func (f foundRole) gone() (responder.Result, error) {
	if f.another {
		return nil, permanentf("role %s is not the one that was meant: a new role has its name, and is left alone", f.name)
	}
	return responder.Result{"role": f.name, "already": true}, nil
}

// survey says what stands on the role under the revocation's name.
func (f foundRole) survey(call responder.Call) responder.Survey {
	if f.role == nil {
		return responder.Survey{}
	}
	survey := responder.Survey{
		Targets: []responder.Target{{ARN: aws.ToString(f.role.Arn), Account: call.Account, Tags: iamTags(f.role.Tags)}},
		Found:   map[string]any{"revoked": f.policy != ""},
	}
	switch {
	case !f.before.IsZero():
		survey.Found["revoked_before"] = f.before.UTC().Format(revocationTime)
	case f.policy != "":
		survey.Lasting = []string{"what the role's inline policy " + revocationName + " said: it was not Responder's"}
	}
	return survey
}

// undo gives a repair of this role and no other.
func (f foundRole) undo(action string, more map[string]any) []responder.Binding {
	params := map[string]any{"role": f.name, "id": aws.ToString(f.role.RoleId)}
	for name, value := range more {
		params[name] = value
	}
	return []responder.Binding{{Action: action, Params: params}}
}

// needs gives the permission of a call about one role: actions on that role,
// which may have a path. Names are unique in an account, whatever the path.
func (r roles) needs(call responder.Call, actions ...string) []responder.Permission {
	name, _, err := roleParam(call)
	if err != nil {
		return nil // Do refuses it
	}
	const roles = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/"
	return []responder.Permission{{Actions: actions, Resources: []string{roles + name, roles + "*/" + name}}}
}
