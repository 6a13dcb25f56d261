#!/usr/bin/env bash
# Installs what is missing and starts the whole product. Needs node and npm, no root.
#   ./start_all.sh           start; Ctrl-C stops everything in order
#   ./start_all.sh install   install only
#   ./start_all.sh bin       install, then print the directory of the Bun that is used
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

version=$(sed -n 's/^ *"bun": "\([0-9][0-9.]*\)".*/\1/p' package.json | head -n 1)
print() { printf '%s\n' "$*" >&2; }
is_pinned() { [ -x "$1" ] && [ "$("$1" --version 2>/dev/null)" = "$version" ]; }

find_bun() {
  local candidate
  for candidate in "$(command -v bun || true)" "$PWD"/.bun/node_modules/.bin/bun \
    "$PWD"/.bun/node_modules/@oven/bun-*/bin/bun; do
    if [ -n "$candidate" ] && is_pinned "$candidate"; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}

install_bun() {
  if ! command -v npm >/dev/null; then
    print "Neither Bun $version nor npm was found. Install Node.js with npm (https://nodejs.org), then run this again."
    exit 1
  fi
  print "Installing Bun $version into .bun …"
  mkdir -p .bun
  npm install --prefix .bun --no-save --no-audit --no-fund --loglevel error "bun@$version" >&2
  # npm may be configured to skip install scripts; this one installs the binary for this machine.
  if ! is_pinned .bun/node_modules/.bin/bun; then
    (cd .bun/node_modules/bun && node install.js) >&2 || print "The install step of Bun failed; looking for its binary."
  fi
}

if ! bun=$(find_bun); then
  install_bun
  if ! bun=$(find_bun); then
    print "Bun $version was installed into .bun but does not run on this machine. Install it by hand (https://bun.sh)."
    exit 1
  fi
fi
# Child processes find this Bun by its name.
PATH="$(dirname "$bun"):$PATH"
export PATH

stamp=node_modules/.installed-from-lockfile
if ! cmp -s bun.lock "$stamp"; then
  print "Installing the locked dependencies …"
  "$bun" install --frozen-lockfile >&2
  cp bun.lock "$stamp"
fi

if [ "${1:-}" = bin ]; then
  dirname "$bun"
  exit 0
fi
# The console is bundled here, never in a process with live calls; nothing is done when its sources are the same.
"$bun" src/console/build/build.ts >&2
[ "${1:-}" = install ] && exit 0
exec "$bun" src/processes/supervisor.ts "$@"
