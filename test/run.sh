#!/usr/bin/env bash
# Installs what the tests need and runs them: all, or those named (./test/run.sh test/jobs).
# The last line says how many passed and failed; the exit status is 0 only when some ran and none failed.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

limit=${TEST_TIMEOUT_SECONDS:-1800}
missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "The tests need ${missing[*]}; install them with this system's package manager." >&2
    exit 1
  fi
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  # The package would start a Redis of its own; the tests start theirs on free ports.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null && "${as_root[@]}" chmod +x "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" || exit 1
fi

bin=$(./start_all.sh bin) || exit 1
export PATH="$bin:$PATH"

output=$(mktemp)
timeout --kill-after=30 "$limit" bun test --timeout 60000 "$@" >"$output" 2>&1 &
tests=$!
trap 'kill "$tests" 2>/dev/null' INT TERM
# Not a pipe: a process that outlives its test would keep it open, and us waiting.
tail -n +1 -f --pid="$tests" "$output"
wait "$tests"
status=$?

# Bun sums up as " 12 pass", " 0 fail" and, for what broke outside of a test, " 1 error".
count() { grep -Eo "^ *[0-9]+ ($1)\$" "$output" | tail -n 1 | grep -Eo '[0-9]+' || echo 0; }
passed=$(count pass)
failed=$(($(count fail) + $(count 'errors?')))
if [ "$failed" != 0 ]; then
  # What went wrong scrolled away long ago: say it again where a reader looks first, before the summary.
  echo "== what failed"
  grep -E '^(\(pass\)|\(skip\)|test/.*:$)' -v "$output" | grep -E '^\(fail\) .*\[' -B 40 | cut -c1-400 | cat -s | head -n 400
  tail -n 5 "$output"
fi
rm -f "$output"
[ "$status" = 124 ] && echo "The tests did not end within $limit s." >&2
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi

echo "$passed passed, $failed failed"
[ "$status" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
