#!/usr/bin/env bash
# Tests the AWS adapters and actions against emulators of AWS on this machine.
#
#   scripts/test-aws.sh [flags of go test]
#
# It needs Go and Python 3 with venv (installed by apt-get, if that is missing,
# this is root and there is apt-get). The first run installs the emulators into
# .venv-aws; later ones start at once. Whatever it starts listens on 127.0.0.1
# alone, keeps its files in a folder of its own, and is gone when it ends. No
# AWS account is reached: credentials are dummies.
#
# Beyond these emulators: delays of 15 minutes and SQS's lax receipts (they are
# told or acted out in the adapters' own tests); throttling, partly failed
# batches and lost replies (likewise); an index that lags; IAM policies.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(./internal/sqs ./internal/dynamodb ./internal/secretsmanager ./actions)
requirements=scripts/requirements-aws.txt
venv=.venv-aws
python=$venv/bin/python

say() { printf 'test-aws: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- the emulators, installed

install_venv() {
  command -v python3 >/dev/null || die "needs python3"
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "needs Python's venv module (on Debian: apt-get install python3-venv)"
    say "installing python3-venv"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv; } >/dev/null
  fi
  say "installing the emulators into $venv; this takes a minute"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --requirement "$requirements"
  cp "$requirements" "$venv/installed.txt"
}

cmp -s "$requirements" "$venv/installed.txt" || install_venv

# --- the emulators, running

work=$(mktemp -d)
pids=()
cleanup() {
  for pid in ${pids[@]+"${pids[@]}"}; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
  "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME COMMAND…: runs it in a folder of its own, in the background.
start() {
  local name=$1 bin
  bin=$PWD/$venv/bin
  shift
  mkdir "$work/$name"
  (cd "$work/$name" && exec env HOME="$work/$name" TMPDIR="$work/$name" PATH="$bin:$PATH" "$@") >"$work/$name.log" 2>&1 &
  pids+=($!)
}

# await NAME PID URL: until it answers there, a minute at most.
await() {
  "$python" - "$2" "$3" <<'PYTHON' || { cat "$work/$1.log" >&2; die "$1 did not start"; }
import os, sys, time, urllib.request
pid, url = int(sys.argv[1]), sys.argv[2]
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        sys.exit("it has ended")
    try:
        urllib.request.urlopen(url, timeout=5).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.2)
sys.exit("it does not answer")
PYTHON
}

export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
unset AWS_PROFILE AWS_SESSION_TOKEN

aws_port=$(free_port)
RESPONDER_TEST_AWS_ENDPOINT=http://127.0.0.1:$aws_port
start ministack env BIND_HOST=127.0.0.1 GATEWAY_PORT="$aws_port" AWS_ENDPOINT_URL="$RESPONDER_TEST_AWS_ENDPOINT" ministack
aws_pid=$!
await ministack "$aws_pid" "$RESPONDER_TEST_AWS_ENDPOINT/_ministack/health"

moto_port=$(free_port)
RESPONDER_TEST_MOTO_ENDPOINT=http://127.0.0.1:$moto_port
start moto moto_server -H 127.0.0.1 -p "$moto_port"
moto_pid=$!
await moto "$moto_pid" "$RESPONDER_TEST_MOTO_ENDPOINT/moto-api/"

export RESPONDER_TEST_AWS_ENDPOINT RESPONDER_TEST_MOTO_ENDPOINT

# --- the tests

# report shows what failed in full, what was skipped with its reason, and a line
# for each package.
report() {
  "$python" -c '
import json, re, sys
output = {}
for line in sys.stdin:
    try:
        e = json.loads(line)
    except ValueError:
        sys.stdout.write(line)
        continue
    key, action = (e.get("Package") or e.get("ImportPath"), e.get("Test")), e["Action"]
    if action in ("output", "build-output"):
        output.setdefault(key, []).append(e["Output"])
    elif action in ("fail", "build-fail"):
        sys.stdout.write("".join(output.get(key, [])))
    elif action == "skip":
        reasons = [o.strip() for o in output.get(key, []) if re.match(r"\s+\w+\.go:\d+: ", o)]
        print("skipped", key[1] or key[0], *reasons[-1:])
    elif action == "pass" and not key[1]:
        sys.stdout.write(output[key][-1])
'
}

# -parallel: the tests wait for real time, not for a processor.
go test -json -count=1 -parallel 16 "$@" "${packages[@]}" | report
