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
			return ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Region = region }), nil
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
