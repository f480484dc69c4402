#!/usr/bin/env bash
# Breaks what can be broken around Responder, at length: kills the program, takes
# its disk away, lives through histories, and puts faults between its functions and
# an emulator of AWS. What came of each scenario is written to dist/faults, from
# where `go test ./docs -update` takes it.
#
# It needs Go and Python 3.11 with venv (installed as scripts/test-aws.sh does),
# and is told how much by SEED, ROUNDS, HISTORIES and EVENTS; see the Makefile, which
# builds the program that is killed: as it is shipped, but for its named points.
set -euo pipefail
cd "$(dirname "$0")/.."
name=test-faults
. scripts/lib/common.sh
. scripts/lib/emulators.sh
no_account
export RESPONDER_EVIDENCE=$PWD/dist/faults RESPONDER_TEST_PROGRAM=$PWD/dist/faults/responder

phase "start the emulator"
need_python
environment aws
emulate_aws

# suite PACKAGE FLAGS…: all are run, whatever became of those before.
failed=()
suite() {
  phase "$*"
  go test -count=1 -timeout 30m -v "$@" | grep -vE '^(=== |PASS$)' || failed+=("$*")
}
suite ./cmd/responder -run '^Test(Killed|Fault)' -tags faults -seed "$SEED" -rounds "$ROUNDS"
suite ./internal/sqlite -run '^Test(Killed|Fault)' -tags faults
suite ./internal/simulation -run '^Test(Guarded)?Histories' -first "$SEED" -histories $((HISTORIES / 2)) # of each
suite ./internal/flood -events "$EVENTS"
suite ./internal/dynamodb -run '^TestEmulatedFlood'
suite ./cmd/dispatch -run '^TestFault' -parallel 4

phase_times
[ "${#failed[@]}" = 0 ] || die "failed: ${failed[*]}"
