package actions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// EC2API is what the actions on instances ask of EC2.
type EC2API interface {
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	TerminateInstances(context.Context, *ec2.TerminateInstancesInput, ...func(*ec2.Options)) (*ec2.TerminateInstancesOutput, error)
}

// instancesAtOnce is how many instances one call is about; a filter takes 200 values.
const instancesAtOnce = 100

const instanceARN = "arn:${AWS::Partition}:ec2:*:${AWS::AccountId}:instance/*"

// instances is what the actions on EC2 instances have in common.
type instances struct{ *access }

// at gives the instances that a call of an action is about, and a client for
// the event's account and region.
func (i instances) at(ctx context.Context, by responder.Action, call responder.Call) ([]string, EC2API, error) {
	ids, err := instanceIDs(call)
	if err != nil {
		return nil, nil, err
	}
	region, err := regionTarget(call)
	if err != nil {
		return nil, nil, err
	}
	api, err := client(ctx, i.access, i.aws.EC2, by, call, region)
	return ids, api, err
}

// states gives the state of each instance that EC2 knows. It asks by filter: a
// request by ids fails as a whole for each one that is not there.
func states(ctx context.Context, api EC2API, ids []string) (map[string]types.InstanceStateName, error) {
	known := map[string]types.InstanceStateName{}
	for chunk := range slices.Chunk(ids, instancesAtOnce) {
		pages := ec2.NewDescribeInstancesPaginator(api, &ec2.DescribeInstancesInput{
			Filters: []types.Filter{{Name: aws.String("instance-id"), Values: chunk}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, awsError("ec2:DescribeInstances", err, reads)
			}
			for _, reservation := range page.Reservations {
				for _, instance := range reservation.Instances {
					if instance.State != nil {
						known[aws.ToString(instance.InstanceId)] = instance.State.Name
					}
				}
			}
		}
	}
	return known, nil
}

// isEnding reports whether an instance has been terminated or soon will be.
func isEnding(state types.InstanceStateName) bool {
	return state == types.InstanceStateNameShuttingDown || state == types.InstanceStateNameTerminated
}
