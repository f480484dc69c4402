package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/secretsmanager"
	"github.com/skycrafters/responder/internal/stack"
)

// flagSet is where flags are added: pflag's, of a command or of all below it.
type flagSet interface {
	StringVar(p *string, name, value, usage string)
}

// awsFlags choose the AWS account and region as the flags of the AWS CLI do.
type awsFlags struct{ profile, region string }

func (f *awsFlags) add(flags flagSet) {
	flags.StringVar(&f.profile, "profile", "", "the AWS profile of this `name` (default: AWS_PROFILE)")
	flags.StringVar(&f.region, "region", "", "the AWS `region` (default: AWS_REGION, or the profile's)")
}

// awsConfig is the SDK's own configuration (environment, profile, role;
// AWS_ENDPOINT_URL is honoured) with what the flags say. A profile that wants an
// MFA code has it asked for once credentials are needed, and for each
// configuration anew: AWS takes no code twice.
func (a *app) awsConfig(ctx context.Context, f awsFlags) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			o.TokenProvider = func() (string, error) { return a.mfaCode(aws.ToString(o.SerialNumber)) }
		}),
	}
	if f.profile != "" {
		options = append(options, config.WithSharedConfigProfile(f.profile))
	}
	if f.region != "" {
		options = append(options, config.WithRegion(f.region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return aws.Config{}, usagef("there is no AWS profile %q (`aws configure list-profiles` shows them)", missing.Profile)
	}
	if err != nil {
		return aws.Config{}, fmt.Errorf("AWS configuration: %w", err)
	}
	return cfg, nil
}

// openStack finds a deployed stack, and says what people should know of its state.
func (a *app) openStack(ctx context.Context, f awsFlags, name string) (*stack.Stack, error) {
	cfg, err := a.awsConfig(ctx, f)
	if err != nil {
		return nil, err
	}
	return a.findStack(ctx, cfg, name)
}

// findStack is openStack where there is a configuration already.
func (a *app) findStack(ctx context.Context, cfg aws.Config, name string) (*stack.Stack, error) {
	s, err := stack.Open(ctx, cfg, name)
	if err != nil {
		return nil, err
	}
	if note := s.Note(); note != "" {
		fmt.Fprintln(a.stderr, "responder:", clean(note))
	}
	return s, nil
}

// operator is the configuration for what the stack consists of; see stack.Operator.
func (a *app) operator(ctx context.Context, s *stack.Stack) (aws.Config, error) {
	return s.Operator(ctx, cmp.Or(a.getenv("USER"), a.getenv("USERNAME")))
}

// stackKey reads the stack's API key: the one of an id, or the only one there is.
func (a *app) stackKey(ctx context.Context, s *stack.Stack, cfg aws.Config, id string) (ingest.Key, error) {
	secret, err := secretsmanager.New(awssecrets.NewFromConfig(cfg), "", a.now).Get(ctx, s.APIKeySecret)
	if err != nil {
		return ingest.Key{}, fmt.Errorf("read the API key of stack %s: %w", s.Name, stack.Explain(err))
	}
	key, err := chooseKey(secret.Current, id)
	if err != nil {
		return ingest.Key{}, fmt.Errorf("the API key of stack %s: %w", s.Name, err)
	}
	return key, nil
}

// chooseKey chooses among the API keys that a secret holds: the one of an id,
// or, without one, the only one there is.
func chooseKey(secret responder.SecretText, id string) (ingest.Key, error) {
	keys, err := ingest.ParseKeys(secret)
	if err != nil {
		return ingest.Key{}, err
	}
	var ids []string
	for _, k := range keys {
		if k.ID == id || id == "" && len(keys) == 1 {
			return k, nil
		}
		ids = append(ids, k.ID)
	}
	switch {
	case keys[0].ID == "": // a bare key, which has no id
		return ingest.Key{}, usagef("--key-id %q: there is one key, and it has no id: leave --key-id out", id)
	case id == "":
		return ingest.Key{}, usagef("there are several: choose one with --key-id: %s", strings.Join(ids, ", "))
	}
	return ingest.Key{}, usagef("--key-id %q: there is no such key: there are %s", id, strings.Join(ids, ", "))
}
