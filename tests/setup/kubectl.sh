#!/usr/bin/env bash
# The real `kubectl`, which judges the tests' own API server. Debian's package is only unpacked: installed, it clashes with others.
. "$(dirname "$0")/common.sh"

command -v kubectl >/dev/null && exit 0
[ -x "$tools/bin/kubectl" ] && exit 0
without() {
  say "no kubectl: $1. What it judges is left out."
  exit 0
}

exclusively kubectl
command -v apt-get >/dev/null || without "only Debian and Ubuntu are set up here"
folder=$(mktemp -d "$cache/kubectl.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q kubernetes-client >apt.log 2>&1 || without "its package cannot be had"
dpkg -x ./*.deb . || without "its package cannot be unpacked"
mkdir -p "$tools/bin"
mv usr/bin/kubectl "$tools/bin/kubectl"
