package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
)

// Check sees to it that cfg has a region and credentials, so that what is
// missing is told as such and not as the failure of some request. Credentials
// may have to be fetched: a request to whoever gives them.
func Check(ctx context.Context, cfg aws.Config) error {
	if cfg.Region == "" {
		return errors.New("no AWS region: give --region, set AWS_REGION, or use a profile that has one (--profile)")
	}
	if cfg.Credentials == nil {
		return errNoCredentials
	}
	_, err := cfg.Credentials.Retrieve(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case Expired(err):
		return Explain(err)
	case errors.Is(err, ErrNoCode):
		return ErrNoCode
	}
	return fmt.Errorf("%w (%s)", errNoCredentials, reason(err))
}

var errNoCredentials = errors.New("no AWS credentials: sign in (`aws sso login`, `aws configure`), choose a profile (--profile, AWS_PROFILE), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")

// ErrNoCode is the error of a profile with mfa_serial where nobody can be asked
// for the code.
var ErrNoCode = errors.New("the AWS profile needs an MFA code, and there is no terminal to ask for it: at one, run `eval \"$(aws configure export-credentials --profile NAME --format env)\"`, then repeat the command from there without --profile")

// Expired reports whether AWS refused because the credentials are no longer
// good: nothing works until the user signs in again.
func Expired(err error) bool {
	switch code(err) {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired":
		return true
	}
	var session *ssocreds.InvalidTokenError // seen by the SDK, before it asks AWS
	return errors.As(err, &session)
}

// denied reports whether AWS refused for want of a permission.
func denied(err error) bool {
	switch code(err) {
	case "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "UnauthorizedOperation":
		return true
	}
	return false
}

// unknown tells credentials that AWS does not know.
func unknown(err error) bool {
	switch code(err) {
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure", "InvalidToken":
		return true
	}
	return false
}

// code is the code of AWS's answer, "" without one.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Explain says in one line why a request to AWS failed and, where the caller's
// credentials are at fault, what to do; the SDK's own text is a chain of
// wrappers with request ids. The error unwraps to err; nil stays nil.
func Explain(err error) error {
	switch {
	case err == nil:
		return nil
	case Expired(err):
		return &explained{"the AWS credentials have expired: sign in again (`aws sso login`, or fresh keys), then repeat the command", err}
	case unknown(err):
		return &explained{"AWS does not know the credentials: " + reason(err) + ": `aws sts get-caller-identity` shows whose they are; --profile chooses others", err}
	}
	return &explained{reason(err), err}
}

// explained is an error with a text for people.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// reason is what AWS answered, or that it did not.
func reason(err error) string {
	var (
		api  smithy.APIError
		sent *url.Error
	)
	switch {
	case errors.As(err, &api):
		return strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	case errors.As(err, &sent):
		return "no answer from " + host(sent.URL) + ": " + sent.Err.Error() + " (is the region right?)"
	}
	return err.Error()
}

func host(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}

// partition is the one that a region belongs to.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
