# Shared by the set-up scripts: where things are kept, and how a step speaks.
# Everything that Lapwing's set-up makes is below $LAPWING_CACHE; delete that folder to begin anew.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${LAPWING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lapwing}
tools=$cache/tools
mkdir -p "$cache"

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  say "$1"
  [ $# -lt 2 ] || say "hint: $2"
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null || fail "this step needs root: $*" "run it as root, or install sudo"
  sudo "$@"
}

# One set-up at a time in one cache: `exclusively NAME` holds a lock until the script ends.
exclusively() {
  exec 9>"$cache/.$1.lock"
  flock 9
}

# A file was made from exactly this text: `made_from STAMP TEXT` says so, `remember STAMP TEXT` notes it.
made_from() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }
remember() { printf '%s' "$2" >"$1.new" && mv "$1.new" "$1"; }
