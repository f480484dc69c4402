package actions

import (
	"context"
	"fmt"
	"regexp"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/middleware"

	"github.com/skycrafters/responder"
)

// ReadOnlyAWS is LazyAWS with clients that only look: any call whose name does not
// say that it reads is refused before it leaves, whatever the credentials allow.
func ReadOnlyAWS(options ...func(*config.LoadOptions) error) AWS {
	return LazyAWS(append(options, config.WithAPIOptions([]func(*middleware.Stack) error{onlyReads}))...)
}

// reading is what operations of AWS are called that read: "IAM:GetUser". To come by
// credentials changes nothing, and what is done with them is asked again.
var reading = regexp.MustCompile(`^(\w[\w ]*:(Get|List|Describe|Head|BatchGet)[A-Z]\w*|STS:AssumeRole\w*|SSO OIDC:CreateToken|Signin:CreateOAuth2Token)$`)

// onlyReads puts the refusal before all that a client sends.
func onlyReads(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ResponderOnlyReads",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			call := awsmiddleware.GetServiceID(ctx) + ":" + awsmiddleware.GetOperationName(ctx)
			if !reading.MatchString(call) {
				return middleware.InitializeOutput{}, middleware.Metadata{}, &responder.Permanent{Err: fmt.Errorf("%s is not known to only read, and nothing else is asked here", call)}
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
}
