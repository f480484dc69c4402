// Package s3 reads archives of events in buckets: what internal/archive does
// for files of this machine.
//
// It imports internal/archive, internal/stack for what AWS's errors mean to
// people, and the AWS SDK.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/skycrafters/responder/internal/archive"
	"github.com/skycrafters/responder/internal/stack"
)

// API is what is asked of S3.
type API interface {
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Buckets gives the files in buckets. Safe for concurrent use.
type Buckets struct {
	open  func(region string) API
	pause time.Duration // before the first time that a broken connection is taken up
}

// New reads with the configuration's credentials; its endpoint, also
// AWS_ENDPOINT_URL_S3's, may be that of anything that speaks S3. It needs
// s3:ListBucket and s3:GetObject, and asks each bucket where it is.
func New(cfg aws.Config) Buckets {
	return Buckets{pause: 200 * time.Millisecond, open: func(region string) API {
		return s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.DisableLogOutputChecksumValidationSkipped = true // most archives are older than checksums
			o.UsePathStyle = o.BaseEndpoint != nil             // others have no host names of buckets
			if o.Region == "" {
				o.Region = "us-east-1"
			}
			if region != "" {
				o.Region = region
			}
		})
	}}
}

const scheme = "s3://"

// IsURL reports whether a path is meant to be in a bucket.
func IsURL(path string) bool { return strings.HasPrefix(path, scheme) }

// URL is a bucket, and how the keys in it begin that are meant.
type URL struct{ Bucket, Prefix string }

// bucketName is the form of a bucket's name, an ARN of an access point included.
var bucketName = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]|arn:[A-Za-z0-9:_.-]+:accesspoint/[a-z0-9-]+)$`)

// Parse reads s3://bucket/prefix.
func Parse(path string) (URL, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(path, scheme), "/")
	if strings.HasSuffix(bucket, ":accesspoint") { // an ARN, which has a slash itself
		name, rest, _ := strings.Cut(prefix, "/")
		bucket, prefix = bucket+"/"+name, rest
	}
	switch {
	case !IsURL(path) || !bucketName.MatchString(bucket):
		return URL{}, fmt.Errorf("%q is no bucket: write s3://bucket/prefix", path)
	case strings.ContainsAny(prefix, "*?"):
		return URL{}, fmt.Errorf("%q: a bucket knows no patterns: give what the keys begin with", path)
	}
	return URL{bucket, prefix}, nil
}

func (u URL) String() string { return scheme + u.Bucket + "/" + u.Prefix }

// explain says what is wrong, and what to do where that is known.
func explain(err error, permission string) error {
	var failed smithy.APIError
	if !errors.As(err, &failed) {
		return stack.Explain(err)
	}
	switch failed.ErrorCode() {
	case "AccessDenied", "Forbidden", "AllAccessDisabled":
		return fmt.Errorf("access denied: it needs %s, and where it is encrypted with a key of yours, kms:Decrypt", permission)
	case "NoSuchBucket":
		return errors.New("there is no such bucket")
	case "NoSuchKey", "NotFound":
		return errors.New("it is gone")
	case "InvalidObjectState":
		return errors.New("it is in a cold archive (Glacier): restore it first")
	case "PreconditionFailed":
		return errors.New("it was changed while it was read")
	}
	return stack.Explain(err)
}

// regionOf is where a bucket says it is when it is asked elsewhere.
func regionOf(err error) string {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return ""
	}
	switch response.HTTPStatusCode() {
	case http.StatusMovedPermanently, http.StatusBadRequest, http.StatusTemporaryRedirect:
		return response.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

func fileOf(client API, pause time.Duration, url URL, key string, size int64, tag string) archive.File {
	return archive.File{
		Ahead: true,
		Name:  scheme + url.Bucket + "/" + key,
		Size:  size,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			o := &object{ctx: ctx, client: client, pause: pause, bucket: url.Bucket, key: key, tag: tag}
			if err := o.reopen(); err != nil {
				return nil, explain(err, "s3:GetObject")
			}
			return o, nil
		},
	}
}
