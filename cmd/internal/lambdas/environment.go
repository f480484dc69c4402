package lambdas

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// environment is the configuration that Lambda gives a function: credentials of
// its role, region, and whatever of endpoints and retries somebody sets in its
// environment. It is config.LoadDefaultConfig without the places where people
// keep credentials (files, single sign-on, the metadata of machines), which are
// two megabytes of each program. A certificate authority of one's own is
// SSL_CERT_FILE, not AWS_CA_BUNDLE.
func environment() (aws.Config, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return aws.Config{}, err
	}
	cfg := aws.Config{
		Region:           env.Region,
		Credentials:      credentials.StaticCredentialsProvider{Value: env.Credentials},
		RetryMode:        env.RetryMode,
		RetryMaxAttempts: env.RetryMaxAttempts,
		ConfigSources:    []any{env}, // where clients look for endpoints of their own
	}
	if env.BaseEndpoint != "" && !aws.ToBool(env.IgnoreConfiguredEndpoints) {
		cfg.BaseEndpoint = &env.BaseEndpoint
	}
	return cfg, nil
}
