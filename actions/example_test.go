package actions_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// A catalogue for loading and checking flows needs nothing from outside.
func ExampleNew() {
	catalogue := actions.New(actions.Deps{})
	for _, name := range slices.Sorted(maps.Keys(catalogue)) {
		if spec := catalogue[name].Spec(); spec.Kind == responder.Check {
			fmt.Println(spec.Name, "needs", spec.Permissions[0].Actions)
		}
	}
	// Output:
	// EC2InstanceAlive needs [ec2:DescribeInstances]
	// IAMUserExists needs [iam:GetUser]
	// SSMAutomationSucceeded needs [ssm:GetAutomationExecution]
}
