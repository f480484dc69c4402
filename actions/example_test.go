package actions_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/skycrafters/responder/actions"
)

// A catalogue for loading and checking flows needs nothing from outside.
func ExampleNew() {
	catalogue := actions.New(actions.Deps{})
	for _, name := range slices.Sorted(maps.Keys(catalogue)) {
		spec := catalogue[name].Spec()
		fmt.Println(spec.Kind, name)
	}
	// Output:
	// check EC2InstanceAlive
	// repair EC2TerminateInstances
	// repair IAMDeleteUser
	// check IAMUserExists
	// notice SendDiscord
	// notice SendEmail
	// notice SendGoogleChat
	// notice SendSlack
}
