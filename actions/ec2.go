package actions

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// What the actions on things of EC2 have in common.

// ec2Filter asks for what has one of some values.
func ec2Filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// ec2Target is a thing of EC2 in the event's account and region.
func ec2Target(call responder.Call, kind, id string, tags []types.Tag) responder.Target {
	return responder.Target{
		ARN:     "arn:" + partition(call.Region) + ":ec2:" + call.Region + ":" + call.Account + ":" + kind + "/" + id,
		Account: call.Account,
		Region:  call.Region,
		Tags:    ec2Tags(tags),
	}
}

// ec2ARNs names things of EC2 in the event's region for permissions.
func ec2ARNs(call responder.Call, kind string, ids ...string) ([]string, error) {
	region, err := regionTarget(call)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, id := range ids {
		arns = append(arns, "arn:${AWS::Partition}:ec2:"+region+":${AWS::AccountId}:"+kind+"/"+id)
	}
	return arns, nil
}

// ec2Tags gives tags as a map, nil if there are none.
func ec2Tags(tags []types.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	named := map[string]string{}
	for _, tag := range tags {
		named[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return named
}

// partition gives the partition of a region.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func partition(region string) string {
	for _, known := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"eusc-", "aws-eusc"},
		{"us-iso-", "aws-iso"}, {"us-isob-", "aws-iso-b"}, {"eu-isoe-", "aws-iso-e"}, {"us-isof-", "aws-iso-f"},
	} {
		if strings.HasPrefix(region, known.prefix) {
			return known.partition
		}
	}
	return "aws"
}
