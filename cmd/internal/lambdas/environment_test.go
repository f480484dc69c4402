package lambdas

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// TestEnvironment: what a function's environment can say reaches clients as it
// does with all of the SDK's configuration.
func TestEnvironment(t *testing.T) {
	always := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	}
	for name, env := range map[string]map[string]string{
		"of Lambda":             {},
		"an emulator":           {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
		"of one service":        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:2"},
		"of one service alone":  {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:2"},
		"endpoints passed over": {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
		"retries":               {"AWS_MAX_ATTEMPTS": "7", "AWS_RETRY_MODE": "adaptive"},
		"FIPS, both stacks":     {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, set := range []map[string]string{always, env} {
				for name, value := range set {
					t.Setenv(name, value)
				}
			}
			cfg, err := environment()
			if err != nil {
				t.Fatal(err)
			}
			full, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, want := sqs.NewFromConfig(cfg).Options(), sqs.NewFromConfig(full).Options()
			if g, w := aws.ToString(got.BaseEndpoint), aws.ToString(want.BaseEndpoint); g != w {
				t.Errorf("the endpoint is %q, want %q", g, w)
			}
			if got.Region != want.Region || got.RetryMode != want.RetryMode || got.Retryer.MaxAttempts() != want.Retryer.MaxAttempts() {
				t.Errorf("%s, %s, %d; want %s, %s, %d", got.Region, got.RetryMode, got.Retryer.MaxAttempts(), want.Region, want.RetryMode, want.Retryer.MaxAttempts())
			}
			if got.EndpointOptions != want.EndpointOptions {
				t.Errorf("endpoints as %+v, want %+v", got.EndpointOptions, want.EndpointOptions)
			}
			g, err := got.Credentials.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w, err := want.Credentials.Retrieve(t.Context())
			if err != nil || g != w {
				t.Errorf("credentials are %v, want %v, %v", g, w, err)
			}
		})
	}
}

// TestEnvironmentRefuses: what cannot be read ends the function at once.
func TestEnvironmentRefuses(t *testing.T) {
	t.Setenv("AWS_RETRY_MODE", "sometimes")
	if _, err := environment(); err == nil {
		t.Error("a retry mode that there is not is taken")
	}
}
