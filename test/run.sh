#!/usr/bin/env bash
# Installs what the tests need and runs them: all, or those named (./test/run.sh test/jobs).
# The last line says how many passed and failed; the exit status is 0 only when some ran and none failed.
# ./test/run.sh --slow names the slowest files and tests of the last full run, --save-timings keeps its durations in git.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

timings=test/timings.json
last_run=test/.last-run
case ${1:-} in
  --slow | --save-timings)
    if [ ! -e "$last_run/timings.json" ]; then
      echo "There was no full run yet. Start one with ./test/run.sh." >&2
      exit 1
    fi
    ;;&
  --slow)
    echo "Slowest files (s):"
    grep -E '"test/.*": [0-9]+' "$last_run/timings.json" | sed -E 's/^ *"(.*)": ([0-9]+),?$/\2 \1/' |
      sort -rn | head -n 20 | awk '{ printf "%7.1f  %s\n", $1 / 1000, $2 }'
    echo "Slowest tests (s):"
    sort -rn "$last_run/tests" | head -n 20 | awk -F'\t' '{ printf "%7.1f  %s %s\n", $1 / 1000, $2, $3 }'
    exit 0
    ;;
  --save-timings)
    cp "$last_run/timings.json" "$timings"
    exit 0
    ;;
esac

limit=${TEST_TIMEOUT_SECONDS:-1680}
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

outputs=$(mktemp -d)
pids=()
stop() { kill "${pids[@]}" 2>/dev/null; }
trap stop INT TERM

# All of them are run in three parts at once, of about the same length: most tests wait more than they compute.
if [ $# -gt 0 ]; then shards=1; else shards=${TEST_SHARDS:-3}; fi
for shard in $(seq "$shards"); do
  # Of the tests of one file that may run side by side, a few: each plays a call in real time.
  arguments=(--timeout 60000 --max-concurrency 6)
  if [ "$shards" = 1 ]; then
    arguments+=("$@")
  else
    cp "$timings" "$outputs/timings-$shard.json"
    arguments+=(--timings="$outputs/timings-$shard.json" --update-timings --shard="$shard/$shards")
  fi
  timeout --kill-after=30 "$limit" bun test "${arguments[@]}" >"$outputs/$shard" 2>&1 &
  pids+=($!)
done

status=0
passed=0
failed=0
# Bun sums up as " 12 pass", " 0 fail" and, for what broke outside of a test, " 1 error".
count() { grep -Eo "^ *[0-9]+ ($1)\$" "$outputs/$2" | tail -n 1 | grep -Eo '[0-9]+' || echo 0; }
for shard in $(seq "$shards"); do
  pid=${pids[$((shard - 1))]}
  # Not a pipe: a process that outlives its test would keep it open, and us waiting.
  tail -n +1 -f --pid="$pid" "$outputs/$shard"
  wait "$pid"
  ended=$?
  [ "$ended" = 0 ] || status=$ended
  [ "$ended" = 124 ] && echo "The tests did not end within $limit s." >&2
  passed=$((passed + $(count pass "$shard")))
  failed=$((failed + $(count fail "$shard") + $(count 'errors?' "$shard")))
done

if [ "$failed" != 0 ]; then
  # What went wrong scrolled away long ago: it is repeated where a reader looks first, before the summary.
  echo "== what failed"
  for shard in $(seq "$shards"); do
    grep -E '^(\(pass\)|\(skip\)|test/.*:$)' -v "$outputs/$shard" | grep -E '^\(fail\) .*\[' -B 40 | cut -c1-400 | cat -s | head -n 400
    tail -n 5 "$outputs/$shard"
  done
fi

if [ "$shards" -gt 1 ]; then
  mkdir -p "$last_run"
  rm -f "$last_run/tests"
  for shard in $(seq "$shards"); do
    awk '
      /^[0-9]+ tests? failed:$/ { exit }
      /^test\/.*\.test\.ts:$/ { file = substr($0, 1, length($0) - 1) }
      /^\((pass|fail)\) .* \[[0-9.]+ms\]$/ {
        ms = $NF; gsub(/[][ms]/, "", ms)
        sub(/^\([a-z]+\) /, ""); sub(/ \[[0-9.]+ms\]$/, "")
        printf "%d\t%s\t%s\n", ms, file, $0
      }' "$outputs/$shard" >>"$last_run/tests"
  done
  # Each shard wrote the durations of its own files.
  {
    printf '{\n  "version": 1,\n  "files": {\n'
    cat "$outputs"/timings-*.json | grep -E '"test/.*": [0-9]+' | sed 's/,$//' | sort -u | sed '$!s/$/,/'
    printf '  }\n}\n'
  } >"$last_run/timings.json"
fi

# The shards take each other's processor: what failed beside the others is judged alone, once, and named either way.
if [ "$failed" != 0 ] && [ "$shards" -gt 1 ]; then
  files=()
  for shard in $(seq "$shards"); do
    mapfile -t -O "${#files[@]}" files < <(awk '
      /^[0-9]+ tests? failed:$/ { exit }
      /^test\/.*\.test\.ts:$/ { file = substr($0, 1, length($0) - 1) }
      /^\(fail\) / && file { print file }' "$outputs/$shard" | sort -u)
  done
  if [ "${#files[@]}" -gt 0 ] && [ "${#files[@]}" -le 8 ]; then
    echo "== alone: ${files[*]}"
    timeout --kill-after=30 600 bun test --timeout 60000 "${files[@]}" 2>&1 | tee "$outputs/alone"
    if [ "${PIPESTATUS[0]}" = 0 ]; then
      echo "What failed above passed alone: $failed in ${files[*]}"
      passed=$((passed + failed))
      failed=0
      status=0
    fi
  fi
fi
rm -rf "$outputs"
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi

echo "$passed passed, $failed failed"
[ "$status" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
