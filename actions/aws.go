package actions

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// AWS opens clients. Each factory is called at every act, so it is cheap after
// the first time, and is safe for concurrent use.
type AWS struct {
	IAM func(ctx context.Context) (IAMAPI, error)
	EC2 func(ctx context.Context, region string) (EC2API, error)
	SNS func(ctx context.Context, region string) (SNSAPI, error)
	STS func(ctx context.Context) (STSAPI, error)
}

// globalRegion is where IAM and STS are asked if the configuration names no region.
const globalRegion = "us-east-1"

var errNoAWS = permanentf("there are no AWS clients here")

// LazyAWS opens clients from the SDK's own configuration (environment, profile,
// role; AWS_ENDPOINT_URL is honoured), read at the first use: a machine without
// credentials never touches AWS unless an action acts there.
func LazyAWS(options ...func(*config.LoadOptions) error) AWS {
	lazy := &lazyConfig{options: options}
	return AWS{
		IAM: func(ctx context.Context) (IAMAPI, error) {
			cfg, err := lazy.get(ctx)
			if err != nil {
				return nil, err
			}
			return iam.NewFromConfig(cfg), nil
		},
		EC2: func(ctx context.Context, region string) (EC2API, error) {
			cfg, err := lazy.get(ctx)
			if err != nil {
				return nil, err
			}
			client := ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Region = region })
			return ec2Calls{client.DescribeInstances, client.TerminateInstances}, nil
		},
		SNS: func(ctx context.Context, region string) (SNSAPI, error) {
			cfg, err := lazy.get(ctx)
			if err != nil {
				return nil, err
			}
			return sns.NewFromConfig(cfg, func(o *sns.Options) { o.Region = region }), nil
		},
		STS: func(ctx context.Context) (STSAPI, error) {
			cfg, err := lazy.get(ctx)
			if err != nil {
				return nil, err
			}
			return sts.NewFromConfig(cfg), nil
		},
	}
}

// ec2Calls is an EC2 client of just the calls that are made. A client itself,
// once in an interface, has the linker keep all its 700 operations: 24 MB.
type ec2Calls struct {
	describe  func(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	terminate func(context.Context, *ec2.TerminateInstancesInput, ...func(*ec2.Options)) (*ec2.TerminateInstancesOutput, error)
}

// DescribeInstances implements EC2API.
func (c ec2Calls) DescribeInstances(ctx context.Context, in *ec2.DescribeInstancesInput, options ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return c.describe(ctx, in, options...)
}

// TerminateInstances implements EC2API.
func (c ec2Calls) TerminateInstances(ctx context.Context, in *ec2.TerminateInstancesInput, options ...func(*ec2.Options)) (*ec2.TerminateInstancesOutput, error) {
	return c.terminate(ctx, in, options...)
}

// lazyConfig loads the configuration once it can be loaded.
type lazyConfig struct {
	options []func(*config.LoadOptions) error

	mu     sync.Mutex
	loaded bool
	config aws.Config
}

func (l *lazyConfig) get(ctx context.Context) (aws.Config, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded {
		return l.config, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, l.options...)
	if err != nil {
		return aws.Config{}, err
	}
	if cfg.Region == "" {
		cfg.Region = globalRegion
	}
	l.config, l.loaded = cfg, true
	return cfg, nil
}
