// Package emulator lets tests of AWS adapters reach an emulator of AWS, if
// scripts/test-aws.sh, scripts/test-faults.sh or their reader has started one.
// Tests alone import it.
package emulator

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Where the emulators listen, by environment variable.
const (
	awsVariable  = "RESPONDER_TEST_AWS_ENDPOINT"  // queues, tables, secrets
	motoVariable = "RESPONDER_TEST_MOTO_ENDPOINT" // IAM, EC2, SNS, secrets
)

// AWS configures clients for the emulator of queues and tables. The test is
// skipped, saying so, if there is none.
func AWS(t testing.TB) aws.Config {
	t.Helper()
	return at(t, awsVariable)
}

// Moto configures clients for the emulator of IAM, EC2, SNS and secrets. The
// test is skipped, saying so, if there is none.
func Moto(t testing.TB) aws.Config {
	t.Helper()
	return at(t, motoVariable)
}

func at(t testing.TB, variable string) aws.Config {
	t.Helper()
	endpoint := os.Getenv(variable)
	if endpoint == "" {
		t.Skipf("needs an AWS emulator: %s is not set (scripts/test-aws.sh starts one)", variable)
	}
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}
