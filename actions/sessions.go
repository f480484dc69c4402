package actions

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/skycrafters/responder"
)

// A session lasts as long as STS lets the shortest last, and is not begun with
// when less than sessionSpare of it is left.
const (
	sessionLasts = 15 * time.Minute
	sessionSpare = 5 * time.Minute
	sessionsKept = 1000 // then all are forgotten: they can be had again
)

// sessions takes the member role of accounts, for one call at a time: the
// session may do what the call needs and nothing else, bears the run's id as its
// name, and is kept for the calls of the same step alone. Safe for concurrent use.
type sessions struct {
	members Members
	aws     AWS
	own     *identity
	now     func() time.Time

	mu   sync.Mutex
	kept map[sessionKey]aws.Credentials
}

// sessionKey is what a session is for.
type sessionKey struct{ step, role, policy string }

// of gives the credentials of a session for an action's call. It is taken before
// anything is asked with it: a refusal is known to have changed nothing, and is
// *Permanent; what may pass is *Transient.
func (s *sessions) of(ctx context.Context, by responder.Action, call responder.Call, region string) (aws.CredentialsProvider, error) {
	if err := s.members.allow(call.Account); err != nil {
		return nil, err
	}
	own, err := s.own.get(ctx)
	if err != nil {
		return nil, err
	}
	policies, err := policiesFor(by, call, where{partition: own.partition, account: call.Account, region: region})
	if err != nil {
		return nil, err
	}
	key := sessionKey{step: call.Key, role: s.members.arn(own.partition, call.Account)}
	for _, key.policy = range policies {
		var session aws.Credentials
		session, err = s.get(ctx, key)
		if err == nil {
			return credentials.StaticCredentialsProvider{Value: session}, nil
		}
		if !hasCode(err, "PackedPolicyTooLarge") { // then a shorter one may do
			break
		}
	}
	return nil, err
}

// get gives the session that is kept, or takes the role anew.
func (s *sessions) get(ctx context.Context, key sessionKey) (aws.Credentials, error) {
	s.mu.Lock()
	session, ok := s.kept[key]
	s.mu.Unlock()
	if ok && s.now().Add(sessionSpare).Before(session.Expires) {
		return session, nil
	}
	session, err := s.assume(ctx, key)
	if err != nil {
		return aws.Credentials{}, err
	}
	if key.step == "" { // of no step, so for this call alone
		return session, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= sessionsKept {
		s.kept = map[sessionKey]aws.Credentials{}
	}
	s.kept[key] = session
	return session, nil
}

func (s *sessions) assume(ctx context.Context, key sessionKey) (aws.Credentials, error) {
	cfg, err := s.aws.own(ctx, "")
	if err != nil {
		return aws.Credentials{}, err
	}
	in := &sts.AssumeRoleInput{
		RoleArn:         &key.role,
		RoleSessionName: aws.String(sessionName(key.step)),
		Policy:          &key.policy,
		DurationSeconds: aws.Int32(int32(sessionLasts.Seconds())),
	}
	if s.members.ExternalID != "" {
		in.ExternalId = &s.members.ExternalID
	}
	out, err := s.aws.STS(cfg).AssumeRole(ctx, in)
	switch {
	case hasCode(err, "AccessDenied"):
		return aws.Credentials{}, &responder.Permanent{Err: &refusedRole{s.members, key.role, &awsFailure{"sts:AssumeRole", err}}}
	case err != nil:
		return aws.Credentials{}, awsError("sts:AssumeRole", err, reads)
	case out.Credentials == nil || out.Credentials.Expiration == nil:
		return aws.Credentials{}, transientf("sts:AssumeRole: the answer holds no credentials")
	}
	return aws.Credentials{
		AccessKeyID:     aws.ToString(out.Credentials.AccessKeyId),
		SecretAccessKey: aws.ToString(out.Credentials.SecretAccessKey),
		SessionToken:    aws.ToString(out.Credentials.SessionToken),
		CanExpire:       true,
		Expires:         *out.Credentials.Expiration,
	}, nil
}

// refusedRole says what to look at: AWS tells the same whatever the cause is.
type refusedRole struct {
	members Members
	role    string
	err     error
}

func (e *refusedRole) Unwrap() error { return e.err }

func (e *refusedRole) Error() string {
	external := "without an external id"
	if e.members.ExternalID != "" {
		external = "with the external id " + e.members.ExternalID
	}
	return fmt.Sprintf("%s may not be taken: there is no such role, or it does not trust Responder's role %s, or Responder's role lacks the permission: %v",
		e.role, external, e.err)
}

// runName is what the name of a session may look like.
var runName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)

// sessionName is the id of the run that a step's key names (responder.SessionName):
// CloudTrail shows it with each call that the session makes, and Responder finds by
// it which run was the cause.
func sessionName(step string) string {
	run, _, _ := strings.Cut(step, "/")
	if name := responder.SessionName(run); runName.MatchString(name) {
		return name
	}
	return "responder"
}
