#!/usr/bin/env bash
# tauri-driver, through which a test drives the real window.
. "$(dirname "$0")/common.sh"

export PATH="$HOME/.cargo/bin:$PATH"
found=$("$tools/bin/tauri-driver" --help >/dev/null 2>&1 && echo yes || echo no)
[ "$found" = yes ] && exit 0
say "building tauri-driver"
exclusively driver
cargo install -q --locked --root "$tools" --version "^2" tauri-driver
