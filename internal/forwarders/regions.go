package forwarders

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/skycrafters/responder/internal/stack"
)

// DescribeRegions is that method of an *ec2.Client of the AWS SDK: a client kept
// whole in an interface would bring EC2's other 700 calls into the program.
type DescribeRegions func(context.Context, *ec2.DescribeRegionsInput, ...func(*ec2.Options)) (*ec2.DescribeRegionsOutput, error)

// UnknownRegionError is a region that AWS does not have.
type UnknownRegionError struct {
	Name  string
	Known []string
}

func (e *UnknownRegionError) Error() string { return fmt.Sprintf("there is no region %q", e.Name) }

// DisabledRegionError is a region that the account has not been opted in to.
type DisabledRegionError struct{ Name string }

func (e *DisabledRegionError) Error() string {
	return fmt.Sprintf("region %s is not enabled in this account (aws account enable-region --region-name %s, or leave it out)", e.Name, e.Name)
}

// Regions gives the regions that are enabled in the account, by name; of these,
// those asked for, if any are. It needs ec2:DescribeRegions: one request.
// Errors: *UnknownRegionError, *DisabledRegionError.
func Regions(ctx context.Context, describe DescribeRegions, asked ...string) ([]string, error) {
	out, err := describe(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("which regions are enabled: %w", stack.Explain(err))
	}
	var all, enabled []string
	for _, r := range out.Regions {
		name := aws.ToString(r.RegionName)
		all = append(all, name)
		if aws.ToString(r.OptInStatus) != "not-opted-in" {
			enabled = append(enabled, name)
		}
	}
	slices.Sort(enabled)
	if len(asked) == 0 {
		return enabled, nil
	}
	var chosen []string
	for _, name := range asked {
		name = strings.TrimSpace(name)
		switch {
		case !slices.Contains(all, name):
			return nil, &UnknownRegionError{Name: name, Known: all}
		case !slices.Contains(enabled, name):
			return nil, &DisabledRegionError{Name: name}
		case !slices.Contains(chosen, name):
			chosen = append(chosen, name)
		}
	}
	slices.Sort(chosen)
	return chosen, nil
}
