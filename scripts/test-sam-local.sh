#!/usr/bin/env bash
# Invokes each function in a container with `sam local invoke` and the files of
# events/_lambda, against an emulator of AWS, and checks what it answers and does.
#
#   scripts/test-sam-local.sh [--start-engine]
#
# It needs a Docker engine that runs, and says so, and is content, where there is
# none; with --start-engine it starts one of its own where it can (as root, on a
# machine with apt-get). Of the images it takes Lambda's own if it is there or can
# be pulled, and else stands in with an image that holds nothing but Lambda's
# runtime interface emulator, which the SAM CLI ships, and certificates.
set -euo pipefail
cd "$(dirname "$0")/.."
name=test-sam-local
. scripts/lib/common.sh
. scripts/lib/emulators.sh
. scripts/lib/sam.sh
. scripts/lib/docker.sh
no_account

no_engine="no Docker engine answers (docker info)"
if ! engine_there && ! { [ "${1-}" = --start-engine ] && start_engine; }; then
  say "SKIPPED: sam local invoke: $no_engine"
  exit 0
fi

phase "install the tools"
need_python
environment sam
environment aws

phase "build with the SAM CLI"
arch=$(machine_arch)
sam_build "$arch" "$work/built"
check_build "$arch" "$work/built"

phase "have an image"
base=public.ecr.aws/lambda/provided:al2023
image=$base-rapid-$arch # the SAM CLI's name for the base with its emulator in it
stand_in() {
  local root=$work/image
  mkdir -p "$root/var/rapid" "$root/var/task" "$root/var/runtime" "$root/tmp" "$root/etc/ssl/certs"
  chmod 1777 "$root/tmp"
  install -m 755 .venv-sam/lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-"$arch" "$root/var/rapid/aws-lambda-rie"
  install -m 644 "$(.venv-sam/bin/python -m certifi)" "$root/etc/ssl/certs/ca-certificates.crt"
  tar -C "$root" -c . | docker import --change "ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime" --change "WORKDIR /var/task" - "$image" >/dev/null
}
remove_stand_in() { docker image rm --force "$image" >/dev/null 2>&1; }
if docker image inspect "$base" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$base" >/dev/null 2>"$work/pull.log"; then
  say "Lambda's own image: $base"
else
  ! docker image inspect "$image" >/dev/null 2>&1 || die "there is an image $image but none of its base $base: remove it"
  at_end=(remove_stand_in ${at_end[@]+"${at_end[@]}"})
  stand_in
  skip "Lambda's own image cannot be pulled ($(tail -1 "$work/pull.log" | cut -c1-200)): an image stands in that holds the runtime interface emulator and certificates alone"
fi

phase "start the emulator"
# Containers reach this machine by the engine's bridge, if that is on this
# machine, and nobody else does; else by the name that the engine gives it.
host=$(docker network inspect bridge --format '{{range .IPAM.Config}}{{or .Gateway .Subnet}}{{"\n"}}{{end}}' | python3 -c '
import ipaddress, socket, sys
told = sys.stdin.readline().strip()
address = str(ipaddress.ip_network(told)[1] if "/" in told else ipaddress.ip_address(told))
socket.socket().bind((address, 0))
print(address)
' 2>/dev/null) || host=
if [ -n "$host" ]; then
  bind=$host
else
  host=host.docker.internal
fi
start_ministack sam-local MINISTACK_ACCOUNT_ID=111122223333

phase "sam local invoke"
in_sam "$PWD/.venv-sam/bin/python" scripts/aws/sam_local.py "$work/built" "$endpoint" "http://$host:${endpoint##*:}" "$arch"
for reason in ${skipped[@]+"${skipped[@]}"}; do say "SKIPPED: $reason"; done
phase_times
