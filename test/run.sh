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
command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium)
# A real CalDAV server.
command -v radicale >/dev/null || missing+=(radicale)

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
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || exit 1
  # The same browser without windows, where the system has it: a fifth less to compute. It shows no notifications.
  if [[ " ${missing[*]} " == *" chromium "* ]] && apt-cache show chromium-headless-shell >/dev/null 2>&1; then
    missing+=(chromium-headless-shell)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" || exit 1
fi

bin=$(./start_all.sh bin) || exit 1
export PATH="$bin:$PATH"

outputs=$(mktemp -d)
children=()
stop() { [ ${#children[@]} = 0 ] || kill "${children[@]}" 2>/dev/null; }
trap stop INT TERM

# Of the tests of one file that may run side by side, a few: each plays a call in real time.
arguments=(--timeout 120000 --max-concurrency 6)
if [ $# -gt 0 ]; then
  names=(named)
else
  # Two workers a processor and one more, each with the next file, the longest first: most tests wait more than they compute.
  # What the runtime itself breaks off fails as its file, and the others go on. A worker keeps its modules and its Postgres.
  processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
  workers=${TEST_WORKERS:-$((processors < 2 ? 2 : processors > 4 ? 8 : 2 * processors))}
  arguments+=(--parallel-delay=0 --no-isolate --update-timings)
  # Where calls are spoken in real time; beside them, what can wait has the processors they leave.
  live=(test/{media,product,jobs,sandbox,providers/speech,providers/whatsapp}
    test/console/{call,line,live,receptionist,voicemail-push,whole-day}.test.ts)
  names=(live rest)
fi

start() {
  local name=$1
  shift
  timeout --kill-after=30 "$limit" "$@" >"$outputs/$name" 2>&1 &
  children+=($!)
}
if [ "${names[0]}" = named ]; then
  start named bun test "${arguments[@]}" "$@"
else
  for name in live rest; do cp "$timings" "$outputs/timings-$name.json"; done
  each=$(((workers + 1) / 2))
  start live bun test "${arguments[@]}" --parallel="$each" --timings="$outputs/timings-live.json" "${live[@]/#/./}"
  ignored=()
  for path in "${live[@]}"; do if [ -d "$path" ]; then ignored+=("$path/**"); else ignored+=("$path"); fi; done
  start rest nice -n 5 bun test "${arguments[@]}" --parallel=$((each + 1)) --timings="$outputs/timings-rest.json" \
    "${ignored[@]/#/--path-ignore-patterns=}"
fi

status=0
# Whether every part came to its end: what a part did not reach is not made good by what passes alone.
complete=1
passed=0
failed=0
# Bun sums up as " 12 pass", " 0 fail" and, for what broke outside of a test, " 1 error".
count() { grep -Eo "^ *[0-9]+ ($1)\$" "$outputs/$2" | tail -n 1 | grep -Eo '[0-9]+' || echo 0; }
for index in "${!names[@]}"; do
  name=${names[$index]}
  child=${children[$index]}
  # Not a pipe: a process that outlives its test would keep it open, and us waiting.
  tail -n +1 -f --pid="$child" "$outputs/$name"
  wait "$child"
  ended=$?
  [ "$ended" = 0 ] || status=$ended
  [ "$ended" -le 1 ] || complete=0
  [ "$ended" = 124 ] && echo "The tests did not end within $limit s." >&2
  passed=$((passed + $(count pass "$name")))
  failed=$((failed + $(count fail "$name") + $(count 'errors?' "$name")))
done

if [ "$failed" != 0 ]; then
  # What went wrong scrolled away long ago: it is repeated where a reader looks first, before the summary.
  echo "== what failed"
  for name in "${names[@]}"; do
    awk '/^[0-9]+ tests? failed:$/ { exit } { print }' "$outputs/$name" | grep -E '^(\(pass\)|\(skip\)|test/.*:$)' -v |
      grep -E '^(\(fail\) .*\[|✗ )' -B 40 | cut -c1-400 | cat -s | head -n 400
    tail -n 5 "$outputs/$name"
  done
fi

# The milliseconds, the file and the name of every test that ended so, until Bun repeats those that failed.
tests_that() {
  for name in "${names[@]}"; do
    awk -v which="$1" '
      /^[0-9]+ tests? failed:$/ { exit }
      /^test\/.*\.test\.ts:$/ { file = substr($0, 1, length($0) - 1) }
      /^✗ test\/.*\.test\.ts/ && which ~ /fail/ { print 0 "\t" $2 "\t(broken off)" }
      $0 ~ "^\\((" which ")\\) " {
        ms = $NF; gsub(/[][ms]/, "", ms)
        sub(/^\([a-z]+\) /, ""); sub(/ \[[0-9.]+ms\]$/, "")
        printf "%d\t%s\t%s\n", ms, file, $0
      }' "$outputs/$name"
  done
}

if [ $# = 0 ]; then
  mkdir -p "$last_run"
  tests_that 'pass|fail' >"$last_run/tests"
  # Each part wrote the durations of its own files.
  {
    printf '{\n  "version": 1,\n  "files": {\n'
    for name in "${names[@]}"; do
      # It also holds the earlier durations of the files of the others.
      grep -E '^test/.*\.test\.ts:$' "$outputs/$name" | sed 's/^\(.*\):$/"\1":/' | sort -u |
        grep -F -f - "$outputs/timings-$name.json"
    done | sed 's/,$//' | sort -u | sed '$!s/$/,/'
    printf '  }\n}\n'
  } >"$last_run/timings.json"
fi

# They take each other's processor: what failed beside the others is judged alone, once, and named either way. What was
# cut off is not made good by what passes alone.
if [ "$failed" != 0 ] && [ "$complete" = 1 ] && [ $# = 0 ]; then
  mapfile -t files < <(tests_that fail | cut -f 2 | sort -u)
  if [ "${#files[@]}" -gt 0 ] && [ "${#files[@]}" -le 8 ]; then
    echo "== alone: ${files[*]}"
    # Both together take no longer than the limit.
    timeout --kill-after=30 $((limit + 60 - SECONDS > 60 ? limit + 60 - SECONDS : 60)) bun test --timeout 120000 "${files[@]/#/./}" 2>&1 | tee "$outputs/alone"
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
