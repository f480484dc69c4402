package actions_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// TestReadOnlyAWS: what does more than read does not leave.
func TestReadOnlyAWS(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	reads := actions.ReadOnlyAWS(config.WithRegion("us-east-1"), config.WithBaseEndpoint(server.URL), config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")), config.WithRetryMaxAttempts(1))
	cfg, err := reads.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	user := aws.String("bob")
	client := iam.NewFromConfig(cfg)
	for name, call := range map[string]func() error{
		"DeleteUser": func() error {
			_, err := client.DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: user})
			return err
		},
		"UpdateAccessKey": func() error {
			_, err := client.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{AccessKeyId: user, Status: "Inactive"})
			return err
		},
		"ResyncMFADevice": func() error {
			_, err := client.ResyncMFADevice(t.Context(), &iam.ResyncMFADeviceInput{UserName: user, SerialNumber: user, AuthenticationCode1: user, AuthenticationCode2: user})
			return err
		},
		"CreateLoginProfi": func() error {
			_, err := client.CreateLoginProfile(t.Context(), &iam.CreateLoginProfileInput{})
			return err
		},
	} {
		var refused *responder.Permanent
		if err := call(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "IAM:"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d calls left", n)
	}
	for name, call := range map[string]func() error{
		"GetUser":        func() error { _, err := client.GetUser(t.Context(), &iam.GetUserInput{UserName: user}); return err },
		"ListAccessKeys": func() error { _, err := client.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{}); return err },
		"GetCallerIdentity": func() error {
			_, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			return err
		},
		"AssumeRole": func() error {
			_, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/r"), RoleSessionName: user})
			return err
		},
	} {
		before := asked.Load()
		var refused *responder.Permanent
		if err := call(); err == nil || errors.As(err, &refused) || asked.Load() != before+1 {
			t.Errorf("%s: %v, %d calls", name, err, asked.Load()-before)
		}
	}
}

// TestChecksOnlyRead: a rehearsal asks every action that calls itself a check.
func TestChecksOnlyRead(t *testing.T) {
	for name, action := range actions.New(actions.Deps{}) {
		spec := action.Spec()
		if spec.Kind != responder.Check {
			continue
		}
		for _, p := range spec.Permissions {
			for _, call := range p.Actions {
				_, verb, _ := strings.Cut(call, ":")
				if !strings.HasPrefix(verb, "Get") && !strings.HasPrefix(verb, "List") && !strings.HasPrefix(verb, "Describe") {
					t.Errorf("%s is a check, and needs %s", name, call)
				}
			}
		}
	}
}
