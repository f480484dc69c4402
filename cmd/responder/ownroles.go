package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
)

// ownRoles tells whose doings are Responder's own, so that no repair answers
// another: what --own-role says, else who the credentials belong to; and beside
// them the member role of each account. Where repairs are armed and nobody can
// tell, it refuses to begin.
func (a *app) ownRoles(ctx context.Context, o runOptions, d *wiring.Definitions) ([]string, error) {
	if len(o.ownRoles) > 0 || !o.live || !armed(d) {
		return wiring.OwnRoles(o.ownRoles, a.members), nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	unknown := func(err error) error {
		return fmt.Errorf("repairs are armed, and it cannot be told whose the credentials are, so that Responder would answer its own doings: %w (give --own-role ARN, or disarm the flows)", err)
	}
	own := actions.LazyAWS()
	cfg, err := own.Config(ctx)
	if err != nil {
		return nil, unknown(err)
	}
	who, err := own.STS(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, unknown(err)
	}
	if who.Arn == nil {
		return nil, unknown(fmt.Errorf("AWS names nobody"))
	}
	return wiring.OwnRoles([]string{principal(*who.Arn)}, a.members), nil
}

// armed reports whether some enabled flow's repairs may act.
func armed(d *wiring.Definitions) bool {
	for _, f := range d.Flows.All() {
		if !f.Disabled && f.Repairs.Armed() {
			return true
		}
	}
	return false
}

// principal is who stands behind a caller's ARN: of an assumed role's session,
// the role (its path is not told; see dispatch.Config.OwnRoles).
func principal(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "sts" || !strings.HasPrefix(parts[5], "assumed-role/") {
		return arn
	}
	role, _, _ := strings.Cut(strings.TrimPrefix(parts[5], "assumed-role/"), "/")
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", parts[1], parts[4], role)
}
