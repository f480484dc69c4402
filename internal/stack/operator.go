package stack

import (
	"context"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Config is the configuration that the stack was found with: the caller's own
// credentials, for what the operator role is not for.
func (s *Stack) Config() aws.Config { return s.config.Copy() }

// Operator is the configuration for clients of the stack's queues, tables and
// secrets, which refuse everybody but the roles they are for: the operator role
// is assumed (one request), in a session named after user so that CloudTrail
// tells people apart. A stack without that role is operated with the caller's
// own credentials.
func (s *Stack) Operator(ctx context.Context, user string) (aws.Config, error) {
	cfg := s.config.Copy()
	if s.OperatorRoleARN == "" {
		return cfg, nil
	}
	role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(s.config), s.OperatorRoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName(user)
	})
	cfg.Credentials = aws.NewCredentialsCache(role)
	_, err := cfg.Credentials.Retrieve(ctx)
	switch {
	case denied(err):
		return aws.Config{}, fmt.Errorf("may not operate stack %s: %w: ask for sts:AssumeRole on %s", s.Name, Explain(err), s.OperatorRoleARN)
	case err != nil:
		return aws.Config{}, fmt.Errorf("assume the operator role of stack %s: %w", s.Name, Explain(err))
	}
	return cfg, nil
}

// unfit is what the name of a role's session may not hold.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var unfit = regexp.MustCompile(`[^A-Za-z0-9_+=,.@-]+`)

const maxSession = 64

// sessionName names a session after whoever operates.
func sessionName(user string) string {
	name := "responder"
	if user = unfit.ReplaceAllString(user, "-"); user != "" {
		name += "-" + user
	}
	return name[:min(len(name), maxSession)]
}
