package actions

import (
	"net/http"
	"os"
	"time"

	"github.com/skycrafters/responder"
)

// Deps is what the actions need from outside. The zero value of each field has
// a sensible meaning, so that a catalogue for loading and checking flows is
// New(Deps{}).
type Deps struct {
	// Timeout bounds one webhook request, answer included; 0 means 10 s.
	Timeout time.Duration
	// Transport carries requests to what users name; nil means one that reaches
	// public addresses, and what the environment allows besides. See
	// outbound.Settings; where they are wrong, nothing is reached.
	Transport http.RoundTripper
	// Secrets resolves secret:NAME; nil: there are none.
	Secrets responder.Secrets
	// Getenv resolves env:NAME; nil means os.Getenv.
	Getenv func(string) string
	// Now is the clock that a Retry-After date is measured by; nil means time.Now.
	Now func() time.Time
	// Version goes into the User-Agent; "" means "dev".
	Version string
	// AWS is what actions ask AWS with; see LazyAWS.
	AWS AWS
	// Members says through which role checks and repairs act, and in which
	// accounts; the zero value: as themselves, in their own account.
	Members Members
}

// New gives the catalogue of all actions. It touches neither network nor AWS.
func New(deps Deps) responder.Catalogue {
	if deps.Getenv == nil {
		deps.Getenv = os.Getenv
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Version == "" {
		deps.Version = "dev"
	}
	refs := references{getenv: deps.Getenv, secrets: deps.Secrets}
	hook := newWebhook(deps, refs)
	reach := newAccess(deps)

	catalogue := responder.Catalogue{}
	for _, action := range []responder.Action{
		&sendSlack{newSlack(hook)},
		newSendDiscord(hook),
		newSendGoogleChat(hook),
		newSendTeams(hook),
		&sendPagerDuty{hook},
		&sendWebhook{hook},
		&sendEmail{aws: deps.AWS, refs: refs},
		&iamUserExists{users{reach}},
		&iamDeleteUser{users{reach}},
		&iamDisableAccessKeys{accessKeys{users{reach}}},
		&iamEnableAccessKeys{accessKeys{users{reach}}},
		&iamDeleteAccessKeys{accessKeys{users{reach}}},
		&iamRemoveConsoleAccess{users{reach}},
		&iamQuarantineUser{users{reach}},
		&iamReleaseUser{users{reach}},
		&iamRevokeRoleSessions{roles{reach}},
		&iamAllowRoleSessions{roles{reach}},
		&cloudTrailStartLogging{reach},
		&invokeLambda{reach, refs},
		&startExecution{reach, refs},
		&ssmAutomation{automations{reach}},
		&ssmAutomationSucceeded{automations{reach}},
		&ec2InstanceAlive{instances{reach}},
		&ec2StopInstances{instances{reach}},
		&ec2StartInstances{instances{reach}},
		&ec2IsolateInstances{instances{reach}},
		&ec2RestoreSecurityGroups{interfaces{reach}},
		&ec2RevokeOpenIngress{ingress{reach}},
		&ec2AuthorizeIngress{ingress{reach}},
		&ec2MakePrivate{sharing{reach, snapshotSharing}},
		&ec2Share{sharing{reach, snapshotSharing}},
		&ec2MakePrivate{sharing{reach, imageSharing}},
		&ec2Share{sharing{reach, imageSharing}},
		&s3BlockPublicAccess{buckets{reach}},
		&s3SetPublicAccessBlock{buckets{reach}},
		&ec2TerminateInstances{instances{reach}},
	} {
		catalogue[action.Spec().Name] = action
	}
	return catalogue
}
