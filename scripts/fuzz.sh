#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh 20s
set -euo pipefail
cd "$(dirname "$0")/.."
for file in $(git ls-files -co --exclude-standard '*_test.go' | xargs grep -l '^func Fuzz' | sort -u); do
  for target in $(grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | cut -d' ' -f2); do
    echo "== $(dirname "$file") $target"
    go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$1" | grep -v '^fuzz: elapsed.*gathering'
  done
done
