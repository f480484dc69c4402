#!/usr/bin/env bash
# Runs govulncheck; says so, and goes on, where its database cannot be reached.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(go tool govulncheck ./... 2>&1)
code=$?
if [ $code -ne 0 ] && grep -qiE 'fetching vulnerabilities|vuln\.go\.dev|dial tcp|no such host|Forbidden|connection refused|i/o timeout' <<<"$out"; then
  echo "NOTICE: govulncheck's database cannot be reached from here; not checked:"
  tail -2 <<<"$out"
  exit 0
fi
echo "$out"
exit $code
