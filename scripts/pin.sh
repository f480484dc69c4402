#!/usr/bin/env bash
# Pins what requirements-*.in name, and all that these need, to the newest
# versions that go together, with the hashes of all their files; `uv` does it.
# They install on Linux and macOS, with Python 3.11 and later.
set -euo pipefail
cd "$(dirname "$0")"
command -v uv >/dev/null || { echo "needs uv (pip install uv)" >&2; exit 1; }
for wanted in requirements-*.in; do
  pinned=${wanted%.in}.txt
  { echo "# Made by scripts/pin.sh from $wanted; install it with --no-deps --require-hashes."
    uv pip compile --quiet --no-config --no-header --no-emit-index-url --universal --python-version 3.11 --upgrade --generate-hashes "$wanted"
  } >"$pinned.new"
  mv "$pinned.new" "$pinned"
done
