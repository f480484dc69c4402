# A Docker engine: whether there is one, and how to have one for a while.
# Sourced after common.sh.

# engine_there: whether an engine answers.
engine_there() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

# start_engine starts an engine of the script's own: socket, images and all in
# $work, gone when the script ends. It needs root; Debian's packages are
# installed if they are missing. It fails, with the reason in `no_engine`, where
# that cannot be done.
start_engine() {
  [ "$(id -u)" = 0 ] || { no_engine="starting one takes root"; return 1; }
  local tool
  for tool in dockerd docker iptables; do
    command -v "$tool" >/dev/null || apt_install docker.io iptables || { no_engine="docker.io cannot be installed here"; return 1; }
  done
  # vfs needs nothing of the file system that this machine may not have.
  start engine dockerd --host "unix://$work/docker.sock" --data-root "$work/engine/data" --exec-root "$work/engine/exec" \
    --pidfile "$work/engine/pid" --storage-driver vfs
  at_end+=(empty_engine)
  export DOCKER_HOST=unix://$work/docker.sock
  local tries
  for tries in $(seq 60); do
    engine_there && return
    kill -0 "$started" 2>/dev/null || break
    sleep 0.5
  done
  no_engine="an engine cannot run here: $(grep -E 'level=(fatal|error)|^failed' "$work/engine.log" | tail -1 | cut -c1-300)"
  unset DOCKER_HOST
  return 1
}

# empty_engine ends what still runs in the engine of the script's own.
empty_engine() { docker ps --quiet | xargs -r docker kill >/dev/null; }
