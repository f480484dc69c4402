package s3_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/skycrafters/responder/internal/archive"
	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/s3"
)

// TestMotoFiles reads a bucket through the SDK, region and all.
func TestMotoFiles(t *testing.T) {
	cfg := emulator.Moto(t)
	client := sdk.NewFromConfig(cfg, func(o *sdk.Options) { o.UsePathStyle = true })
	const bucket = "archive-of-events"
	if _, err := client.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{
		"AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/03/a b+c.json": `{"Records":[{"eventName":"One"},{"eventName":"Two"}]}`,
		"AWSLogs/111122223333/Config/eu-west-1/2026/11/03/c.json.gz":      "no gzip",
	} {
		if _, err := client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader([]byte(text))}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for file, err := range s3.New(cfg).Files(t.Context(), "s3://"+bucket+"/AWSLogs/", archive.Window{}) {
		if err != nil {
			t.Fatal(err)
		}
		for batch := range file.Batches(t.Context(), new(archive.Desk), func() *archive.Batch { return new(archive.Batch) }, archive.Skim{}) {
			for record, err := range batch.All() {
				if err != nil {
					t.Error(err)
				}
				got = append(got, string(record.Raw))
			}
		}
	}
	if want := []string{`{"eventName":"One"}`, `{"eventName":"Two"}`}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for _, err := range s3.New(cfg).Files(t.Context(), "s3://no-such-bucket-here/", archive.Window{}) {
		if err == nil || err.Error() != "s3://no-such-bucket-here/: there is no such bucket" {
			t.Errorf("%v", err)
		}
	}
}
