# What the test scripts share: words, times, processes that end with the script.
# Sourced by them, from the repository's folder, with `name` set to what they
# are called. Everything they start listens on 127.0.0.1 alone.

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die() { say "$*"; exit 1; }

# --- phases, with the time of each

phases=()
phase() {
  phase_done
  current=$1 began=$SECONDS
  say "--- $1"
}
phase_done() {
  [ -z "${current-}" ] || phases+=("$(printf '%4d s  %s' $((SECONDS - began)) "$current")")
  current=
}
phase_times() {
  phase_done
  say "took"
  printf '  %s\n' ${phases[@]+"${phases[@]}"} "$(printf '%4d s  in all' $SECONDS)" >&2
}

# skip REASON: counted and shown again at the end.
skipped=()
skip() {
  skipped+=("$1")
  say "SKIPPED: $1"
}

# --- what is started ends with the script, however that ends

work=$(mktemp -d "${TMPDIR:-/tmp}/responder-$name.XXXXXX")
groups=() # process groups
at_end=() # commands

cleanup() {
  local code=$? command group
  trap '' INT TERM
  for command in ${at_end[@]+"${at_end[@]}"}; do "$command" || true; done
  for group in ${groups[@]+"${groups[@]}"}; do end_group "$group"; done
  rm -rf "$work"
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# end_group PID: ends a process that `start` has started and all that it has
# started itself; it is killed if it does not end in five seconds.
end_group() {
  kill -TERM -- "-$1" 2>/dev/null || return 0
  local tries
  for tries in $(seq 50); do
    kill -0 -- "-$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$1" 2>/dev/null || true
}

# start NAME COMMAND…: in the background, in a process group and a folder of its
# own; what it says goes to $work/NAME.log. Its process id is in `started`.
start() {
  local folder=$work/$1 log=$work/$1.log
  shift
  mkdir -p "$folder"
  HOME=$folder TMPDIR=$folder python3 -c '
import os, sys
os.setpgid(0, 0)
os.chdir(sys.argv[1])
os.execvp(sys.argv[2], sys.argv[2:])
' "$folder" "$@" >"$log" 2>&1 </dev/null &
  started=$!
  groups+=("$started")
}

# await NAME PID URL: until it answers there, a minute at most.
await() {
  python3 - "$2" "$3" <<'PYTHON' || { tail -40 "$work/$1.log" >&2; die "$1 did not start"; }
import os, ssl, sys, time, urllib.error, urllib.request
pid, url = int(sys.argv[1]), sys.argv[2]
# What answers is this script's own process on loopback, whatever its certificate.
context = ssl._create_unverified_context()
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        sys.exit("it has ended")
    try:
        urllib.request.urlopen(url, timeout=5, context=context).close()
        sys.exit(0)
    except urllib.error.HTTPError:
        sys.exit(0)
    except OSError:
        time.sleep(0.2)
sys.exit("it does not answer")
PYTHON
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# --- tools

# need_python installs python3 and its venv module where that can be done.
need_python() {
  python3 -c 'import ensurepip, venv' 2>/dev/null && return
  apt_install python3 python3-venv || die "needs Python 3.11 or later with its venv module (on Debian: apt-get install python3-venv)"
}

# apt_install PACKAGE…: fails where this is not root or there is no apt-get.
apt_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  say "installing $*"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$work/apt.log" 2>&1 || {
    tail -20 "$work/apt.log" >&2
    return 1
  }
}

# environment NAME: installs what scripts/requirements-NAME.txt pins into
# .venv-NAME, unless it is there.
environment() {
  local pinned=scripts/requirements-$1.txt venv=.venv-$1
  cmp -s "$pinned" "$venv/installed.txt" && return
  say "installing $pinned into $venv; this takes a minute"
  rm -rf "$venv"
  python3 -m venv "$venv"
  # Everything is pinned, so nothing is left to resolve; `pip check` sees that.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --requirement "$pinned"
  "$venv/bin/python" -m pip check --quiet --disable-pip-version-check
  cp "$pinned" "$venv/installed.txt"
}

# no_account keeps every tool away from real AWS accounts.
no_account() {
  unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE
  unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_ENDPOINT_URL AWS_CA_BUNDLE
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
}

# machine_arch is the functions' architecture that this machine can run.
machine_arch() {
  case $(uname -m) in
    x86_64 | amd64) echo x86_64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) uname -m ;;
  esac
}
