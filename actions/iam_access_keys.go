package actions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

type accessKeysAPI interface {
	UpdateAccessKey(context.Context, *iam.UpdateAccessKeyInput, ...func(*iam.Options)) (*iam.UpdateAccessKeyOutput, error)
}

// accessKeys is what the actions on access keys of a user have in common.
type accessKeys struct{ users }

// foundKeys is a user's access keys as they are now.
type foundKeys struct {
	foundUser
	wanted []string // the keys that are meant; nil: all that the user has
	ids    []string // of the keys that are meant and there
	status map[string]types.StatusType
}

// find looks for the keys that a call of an action is about. No user has none.
func (a accessKeys) find(ctx context.Context, by responder.Action, call responder.Call) (foundKeys, error) {
	wanted, err := keyIDs(call)
	if err != nil {
		return foundKeys{}, err
	}
	user, err := a.users.find(ctx, by, call)
	found := foundKeys{foundUser: user, wanted: wanted, status: map[string]types.StatusType{}}
	if err != nil || user.user == nil {
		return found, err
	}
	pages := iam.NewListAccessKeysPaginator(user.api, &iam.ListAccessKeysInput{UserName: &user.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		switch {
		case hasCode(err, "NoSuchEntity"): // the user is gone meanwhile
			return found, nil
		case err != nil:
			return foundKeys{}, awsError("iam:ListAccessKeys", err, reads)
		}
		for _, key := range page.AccessKeyMetadata {
			id := aws.ToString(key.AccessKeyId)
			if id != "" && (wanted == nil || slices.Contains(wanted, id)) {
				found.ids = append(found.ids, id)
				found.status[id] = key.Status
			}
		}
	}
	return found, nil
}

// those gives the keys that are there with a status.
func (f foundKeys) those(status types.StatusType) []string {
	return slices.DeleteFunc(slices.Clone(f.ids), func(id string) bool { return f.status[id] != status })
}

// missing gives the keys that are meant by name and are not there.
func (f foundKeys) missing() []string {
	return slices.DeleteFunc(slices.Clone(f.wanted), func(id string) bool { return slices.Contains(f.ids, id) })
}

// survey says which keys are there, and which are active.
func (f foundKeys) survey(call responder.Call) responder.Survey {
	s := f.foundUser.survey(call)
	if f.user == nil {
		return s
	}
	keys := map[string]any{}
	for _, id := range f.ids {
		keys[id] = string(f.status[id])
	}
	s.Found["access_keys"] = keys
	return s
}

// undo gives a repair on some of the user's keys; none on no keys.
func (f foundKeys) undo(action string, keys []string) []responder.Binding {
	if len(keys) == 0 {
		return nil
	}
	params := f.params()
	params["keys"] = keys
	return []responder.Binding{{Action: action, Params: params}}
}

// set gives keys a status. Keys that are gone meanwhile are told apart.
func (f foundKeys) set(ctx context.Context, ids []string, status types.StatusType) (done, gone []string, err error) {
	done, err = each(ctx, ids, func(ctx context.Context, id string) error {
		_, err := f.api.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &f.name, AccessKeyId: &id, Status: status})
		switch {
		case hasCode(err, "NoSuchEntity"):
			gone = append(gone, id)
			return nil
		case err != nil:
			return awsError("iam:UpdateAccessKey", err, mutates)
		}
		return nil
	})
	return slices.DeleteFunc(done, func(id string) bool { return slices.Contains(gone, id) }), gone, err
}

// keyParams are the parameters of an action on access keys.
func keyParams(keys responder.Param) []responder.Param {
	keys.Name, keys.Type = "keys", responder.ListParam
	return append(userParams(), keys)
}

// put adds a list to a result, unless it is empty.
func put(result responder.Result, key string, ids []string) {
	if len(ids) > 0 {
		result[key] = ids
	}
}

// keyActions are the IAM actions of a repair on access keys: to look, and to change.
func keyActions(change string) []string {
	return []string{"iam:GetUser", "iam:ListAccessKeys", change}
}

// describedKeys names the keys that a call is about.
func describedKeys(call responder.Call) string {
	keys := "all access keys"
	if named, given := call.Params["keys"]; given {
		keys = "access keys " + inline(plain(named))
	}
	return keys + " of user " + inline(plain(call.Params["user"]))
}
