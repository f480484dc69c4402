package actions

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// AWS is what actions need to ask AWS. Everything in it is safe for concurrent
// use, and touches nothing before an action acts. The factories make a client of
// a configuration: they are called at every act, so they are cheap. A nil one
// makes the actions that need it fail as *Permanent.
//
// A check or repair opens its clients by [access.client], never by itself: that
// is what knows whose credentials a call is given.
type AWS struct {
	// Config gives the configuration with Responder's own credentials and a
	// region. nil means an empty one, for factories that make fakes.
	Config func(ctx context.Context) (aws.Config, error)

	STS func(aws.Config) STSAPI
	SNS func(aws.Config) SNSAPI
	SES func(aws.Config) SESAPI
	IAM func(aws.Config) IAMAPI
	EC2 func(aws.Config) EC2API
	S3  func(aws.Config) S3API

	CloudTrail func(aws.Config) CloudTrailAPI
	Lambda     func(aws.Config) LambdaAPI
	SFN        func(aws.Config) SFNAPI
	SSM        func(aws.Config) SSMAPI
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
		Config: lazy.get,
		STS:    func(cfg aws.Config) STSAPI { return sts.NewFromConfig(cfg) },
		SNS:    func(cfg aws.Config) SNSAPI { return sns.NewFromConfig(cfg) },
		SES: func(cfg aws.Config) SESAPI {
			client := sesv2.NewFromConfig(cfg)
			return sesCalls{client.SendEmail}
		},
		IAM: func(cfg aws.Config) IAMAPI { return iam.NewFromConfig(cfg) },
		EC2: func(cfg aws.Config) EC2API { return newEC2Calls(ec2.NewFromConfig(cfg)) },
		S3: func(cfg aws.Config) S3API {
			return newS3Calls(s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil })) // an emulator has no host names of buckets
		},
		CloudTrail: func(cfg aws.Config) CloudTrailAPI {
			client := cloudtrail.NewFromConfig(cfg)
			return cloudTrailCalls{client.GetTrail, client.GetTrailStatus, client.ListTags, client.StartLogging}
		},
		Lambda: func(cfg aws.Config) LambdaAPI {
			client := lambda.NewFromConfig(cfg)
			return lambdaCalls{client.Invoke, client.ListTags}
		},
		SFN: func(cfg aws.Config) SFNAPI {
			client := sfn.NewFromConfig(cfg)
			return sfnCalls{client.DescribeStateMachine, client.ListTagsForResource, client.StartExecution, client.DescribeExecution}
		},
		SSM: func(cfg aws.Config) SSMAPI {
			client := ssm.NewFromConfig(cfg)
			return ssmCalls{client.DescribeDocument, client.StartAutomationExecution, client.DescribeAutomationExecutions, client.GetAutomationExecution}
		},
	}
}

// own gives the configuration with Responder's own credentials, of a region or,
// where that is "", of the region it names itself.
func (a AWS) own(ctx context.Context, region string) (aws.Config, error) {
	var cfg aws.Config
	if a.Config != nil {
		var err error
		if cfg, err = a.Config(ctx); err != nil {
			return aws.Config{}, transientf("read the AWS configuration: %w", err)
		}
	}
	if region != "" {
		cfg.Region = region
	}
	return cfg, nil
}

// sesCalls is a client of SES, as ec2Calls is one of EC2.
type sesCalls struct {
	send func(context.Context, *sesv2.SendEmailInput, ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error)
}

// SendEmail implements SESAPI.
func (c sesCalls) SendEmail(ctx context.Context, in *sesv2.SendEmailInput, options ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error) {
	return c.send(ctx, in, options...)
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
