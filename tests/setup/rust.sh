#!/usr/bin/env bash
# Rust: the machine's own where it is new enough, else the stable one by rustup.
. "$(dirname "$0")/common.sh"

least=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
export PATH="$HOME/.cargo/bin:$PATH"

new_enough() {
  local version
  version=$(rustc --version 2>/dev/null | cut -d' ' -f2) || return 1
  [ -n "$version" ] && printf '%s\n%s\n' "$least" "$version" | sort -C -V
}

if new_enough && command -v cargo >/dev/null; then
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && exit 0
  command -v rustup >/dev/null || exit 0
  exec rustup component add rustfmt clippy
fi

if command -v rustup >/dev/null; then
  say "Rust $least or newer is needed: updating"
  rustup update stable >&2 && rustup default stable >&2
else
  say "installing Rust"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
    sh -s -- -y --no-modify-path --profile minimal -c rustfmt -c clippy >&2 ||
    fail "Rust cannot be installed" "install Rust $least or newer, then run this again"
fi
new_enough || fail "Rust $least or newer is needed; here is $(rustc --version 2>/dev/null || echo none)"
