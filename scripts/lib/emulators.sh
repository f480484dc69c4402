# The emulators of AWS, in .venv-aws (`environment aws`). Sourced after common.sh.

certificates=$work/tls

# certify makes a certificate for loopback, good for a day, into $certificates.
certify() {
  mkdir -p "$certificates"
  .venv-aws/bin/python scripts/aws/certificate.py "$certificates"
}

# start_ministack NAME [VARIABLE=VALUE…]: sets `endpoint`. `bind` is where it
# listens.
bind=127.0.0.1
start_ministack() {
  local called=$1 port scheme=http
  port=$(free_port)
  shift
  [[ " $* " != *" USE_SSL=1 "* ]] || scheme=https
  endpoint=$scheme://$bind:$port
  # Its listeners for FTP and MQTT would be open to the network.
  start "$called" env "$@" BIND_HOST="$bind" GATEWAY_PORT="$port" AWS_ENDPOINT_URL="$endpoint" \
    SFTP_ENABLED=0 IOT_MTLS_ENABLED=0 PATH="$PWD/.venv-aws/bin:$PATH" \
    "$PWD/.venv-aws/bin/python" "$PWD/scripts/aws/emulator.py"
  await "$called" "$started" "$endpoint/_ministack/health"
}

# emulate_aws starts ministack for the tests that need queues and tables, and
# tells them where (internal/emulator).
emulate_aws() {
  start_ministack ports
  export RESPONDER_TEST_AWS_ENDPOINT=$endpoint
}

# start_moto: sets `moto_endpoint`.
start_moto() {
  local port
  port=$(free_port)
  moto_endpoint=http://127.0.0.1:$port
  start moto "$PWD/.venv-aws/bin/moto_server" -H 127.0.0.1 -p "$port"
  await moto "$started" "$moto_endpoint/moto-api/"
}
