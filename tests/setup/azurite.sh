#!/usr/bin/env bash
# Azurite, Microsoft's own stand-in for Azure Blob Storage. Where it cannot be had, the tests with it are left out.
. "$(dirname "$0")/common.sh"

# The next version brings 300 MB of telemetry along.
AZURITE=3.33.0
folder=$cache/azurite
# Nothing here is kept in a database: their drivers would be half of it.
package='{"private": true, "dependencies": {"azurite": "'$AZURITE'"},
  "overrides": {"mysql2": "npm:empty-npm-package@1.0.0", "tedious": "npm:empty-npm-package@1.0.0"}}'

made_from "$folder/.made-from" "$package" && [ -x "$folder/node_modules/.bin/azurite-blob" ] && exit 0
without() {
  say "no Azurite: $1. The tests of Azure are left out."
  exit 0
}

"$root/tests/setup/node.sh" || without "there is no Node.js"
exclusively azurite
say "installing Azurite $AZURITE"
rm -rf "$folder.new"
mkdir -p "$folder.new"
printf '%s' "$package" >"$folder.new/package.json"
cd "$folder.new"
"$root/tests/setup/with" npm install --no-package-lock --no-audit --no-fund --omit=optional --ignore-scripts >"$cache/azurite.log" 2>&1 ||
  without "its packages cannot be had (see $cache/azurite.log)"
rm -rf "$folder"
mv "$folder.new" "$folder"
remember "$folder/.made-from" "$package"
