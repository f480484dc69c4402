package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/skycrafters/responder"
)

// access gives checks and repairs what they reach AWS with. It is the one place
// that decides with whose credentials a call is made. Safe for concurrent use.
type access struct {
	aws      AWS
	own      *identity
	sessions *sessions // of the member role; nil: Responder's own credentials
}

func newAccess(deps Deps) *access {
	a := &access{aws: deps.AWS, own: &identity{aws: deps.AWS}}
	if deps.Members.Role != "" {
		a.sessions = &sessions{members: deps.Members, aws: deps.AWS, own: a.own, now: deps.Now}
	}
	return a
}

// to gives the configuration of the account that a call is about and of a
// region, "" for what is global, with credentials for what the action needs.
// Its errors are *Permanent or *Transient: nothing has been done.
func (a *access) to(ctx context.Context, by responder.Action, call responder.Call, region string) (aws.Config, error) {
	if a.sessions == nil {
		if err := a.own.belongsTo(ctx, call.Account); err != nil {
			return aws.Config{}, err
		}
		return a.aws.own(ctx, region)
	}
	session, err := a.sessions.of(ctx, by, call, region)
	if err != nil {
		return aws.Config{}, err
	}
	cfg, err := a.aws.own(ctx, region)
	if err != nil {
		return aws.Config{}, err
	}
	cfg.Credentials = session
	return cfg, nil
}

// client opens a client, by one of the factories of a.aws, of the account that a
// call is about and of a region, "" for what is global. by is the action that
// asks: its Needs of the call, else its Spec's permissions, are all that the
// client may be able to do. Errors as access.to's.
//
//	api, err := client(ctx, a.access, a.aws.IAM, a, call, "")
func client[C any](ctx context.Context, a *access, open func(aws.Config) C, by responder.Action, call responder.Call, region string) (C, error) {
	var none C
	if open == nil {
		return none, errNoAWS
	}
	cfg, err := a.to(ctx, by, call, region)
	if err != nil {
		return none, err
	}
	return open(cfg), nil
}
