#!/usr/bin/env bash
# Proves Responder on AWS, as far as this machine can: checks the templates,
# builds them with the SAM CLI, deploys the stack into an emulator that runs the
# functions and enforces IAM, sends events through it, and runs the suites of
# adapters and actions against emulators.
#
#   scripts/test-aws.sh [flags of go test]
#
# It needs Go, git, make and Python 3.11 with venv (installed by apt-get, if that
# is missing, this is root and there is apt-get). The first run installs the
# tools into .venv-sam and .venv-aws, pinned and with their hashes checked; later
# ones start at once. What it starts listens on 127.0.0.1 alone, keeps its files
# in a folder of its own, and is gone when it ends. No AWS account is reached:
# credentials are dummies.
set -euo pipefail
cd "$(dirname "$0")/.."
name=test-aws
. scripts/lib/common.sh
. scripts/lib/emulators.sh
. scripts/lib/sam.sh
no_account

phase "install the tools"
need_python
environment sam &
installing=$!
environment aws
wait "$installing" || die "the SAM CLI could not be installed"

phase "check the templates"
lint_templates

phase "build with the SAM CLI"
other=arm64 own=$(machine_arch)
[ "$own" != arm64 ] || other=x86_64
sam_build "$other" "$work/other"
check_build "$other" "$work/other"
rm -rf "$work/other"
sam_build "$own" "$work/built"
check_build "$own" "$work/built"
cp scripts/aws/stack.flows.yml "$work/built/DispatchFunction/flows.local.yml"

phase "derive the permissions of the flows"
go build -o "$work/responder" ./cmd/responder
copy_repository "$work/live"
permissions() {
  say "$1:"
  (cd "$work/live" && "$work/responder" policy --format json && "$work/responder" policy --report) | tee "$work/permissions" | sed 's/^/  /' >&2
}
permissions "the flows as they are shipped"
cp scripts/aws/notices.flows.yml "$work/live/flows.local.yml"
permissions "without the flows that check and repair"
! grep -E '"(iam|ec2):' "$work/permissions" || die "flows that only tell need no permissions on users and instances"
cp scripts/aws/live.flows.yml "$work/live/flows.local.yml"
permissions "with flows that repair"
grep -q '"iam:DeleteUser"' "$work/permissions" || die "flows that delete users need the permission"
(
  cd "$work/live"
  ! "$work/responder" policy --check >"$work/policy.log" 2>&1 || die "responder policy --check does not see that flows repair"
  "$work/responder" policy --write >"$work/policy.log" 2>&1 || { cat "$work/policy.log" >&2; die "responder policy --write failed"; }
)
in_sam cfn-lint --non-zero-exit-code informational --template "$work/live/template.yaml" || die "cfn-lint: the template for flows that repair"
ln -s "$PWD/.venv-sam" "$work/live/.venv-sam"
(cd "$work/live" && sam_build "$own" "$work/live-built")

phase "start the emulators"
certify
emulate_aws
start_moto
export RESPONDER_TEST_MOTO_ENDPOINT=$moto_endpoint
export RESPONDER_TEST_AWS_CLI=$PWD/.venv-aws/bin/aws # for docs/first-repair.md

# The stack's tests are told where it is; without these they skip.
if [ "$(uname -s)" = Linux ]; then
  phase "deploy the stack into the emulator"
  # Of the account that the samples are of, with IAM enforced, and with TLS, for
  # the policies refuse everything else. Its
  # certificate is trusted by the functions, too, which inherit this environment.
  start_ministack stack MINISTACK_ACCOUNT_ID=111122223333 AUTH=true USE_SSL=1 MINISTACK_SSL_CERT="$certificates/cert.pem" MINISTACK_SSL_KEY="$certificates/key.pem" \
    AWS_CA_BUNDLE="$certificates/cert.pem" SSL_CERT_FILE="$certificates/cert.pem"
  export RESPONDER_TEST_STACK=responder-test
  export RESPONDER_TEST_STACK_ENDPOINT=$endpoint
  export RESPONDER_TEST_STACK_TLS=$certificates
  export RESPONDER_TEST_STACK_BUILT=$work/built
  RESPONDER_TEST_STACK_WEBHOOK=https://localhost:$(free_port)/webhook
  export RESPONDER_TEST_STACK_WEBHOOK
  sam_deploy "$RESPONDER_TEST_STACK" "$work/built" "Architecture=$own" "SlackWebhookUrl=$RESPONDER_TEST_STACK_WEBHOOK" AllowPrivateHosts=localhost Emails=ops@example.com

  phase "deploy another, whose flows repair"
  export RESPONDER_TEST_STACK_LIVE=responder-live
  # Slack's API is played there; see scripts/aws/live.flows.yml.
  RESPONDER_TEST_STACK_SLACK=https://localhost:$(free_port)/api
  export RESPONDER_TEST_STACK_SLACK
  sam_deploy "$RESPONDER_TEST_STACK_LIVE" "$work/live-built" "Architecture=$own" "SlackWebhookUrl=$RESPONDER_TEST_STACK_SLACK" AllowPrivateHosts=localhost

  phase "deploy a third, that repairs through a role in accounts"
  export RESPONDER_TEST_STACK_MEMBER=responder-away
  sam_deploy "$RESPONDER_TEST_STACK_MEMBER" "$work/live-built" "Architecture=$own" \
    MemberRoleName=responder-member MemberAccounts=111122223333,444455556666,555566667777 MemberExternalId=o-exampleorgid/away
  mkdir "$work/member"
  cp "$work/live/member-role.yaml" "$work/member/template.yaml"
  for account in 111122223333 444455556666; do # the emulator takes an account for its root's key
    AWS_ACCESS_KEY_ID=$account sam_deploy responder-member "$work/member" \
      "DispatchRoleArn=arn:aws:iam::111122223333:role/$RESPONDER_TEST_STACK_MEMBER-dispatch-us-east-1" ExternalId=o-exampleorgid/away
  done
else
  skip "the deployed stack: the emulator runs the functions, programs for Linux, on this machine"
fi

phase "test the stack, the adapters and the actions"
packages=$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -lE 'internal/emulator"|RESPONDER_TEST_(AWS|MOTO|STACK)' | xargs -n1 dirname | sort -u | sed 's|^|./|')
# -parallel: the tests wait for real time, not for a processor. Faults are for
# scripts/test-faults.sh.
TMPDIR=$work go test -json -count=1 -parallel 16 -timeout 20m -skip '^TestFault' "$@" $packages | python3 scripts/aws/report.py --show "shown: " ||
  { [ ! -e "$work/stack.log" ] || tail -40 "$work/stack.log" >&2; die "tests failed"; }

say "what the emulators do not show:"
sed 's/^/  /' scripts/aws/unproved.txt >&2
for reason in ${skipped[@]+"${skipped[@]}"}; do say "SKIPPED: $reason"; done
phase_times
