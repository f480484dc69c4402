// Package stacktest holds the tests of the stack as it is deployed: template,
// roles, queues, tables and functions together. Tests alone are in it.
//
// scripts/test-aws.sh deploys the stack into an emulator of AWS that runs the
// functions and enforces IAM, and says in the environment where it is; without
// that the tests are skipped.
package stacktest
