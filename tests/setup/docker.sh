#!/usr/bin/env bash
# A Docker engine and a base image with Python, if they can be had. Without them Lapwing works, just not in containers,
# so this says what is missing and succeeds.
. "$(dirname "$0")/common.sh"

BASE=lapwing-base:bookworm
MIRROR=http://deb.debian.org/debian
ENGINE_SECONDS=20

without() {
  say "no Docker: $1. What needs containers is left out."
  exit 0
}

answers() { timeout 10 docker info >/dev/null 2>&1; }

start_engine() {
  local engine=
  command -v dockerd >/dev/null || without "no engine is installed"
  if [ -d /run/systemd/system ]; then
    as_root systemctl start docker >/dev/null 2>&1 || true
  elif [ "$(id -u)" = 0 ]; then
    say "starting a Docker engine (log: $cache/dockerd.log)"
    # In a session of its own: it serves later calls too.
    setsid nohup dockerd --pidfile "$cache/dockerd.pid" >"$cache/dockerd.log" 2>&1 </dev/null 9>&- &
    engine=$!
  fi
  for _ in $(seq $((ENGINE_SECONDS * 2))); do
    answers && return
    # An engine that ended by itself will not answer any more.
    [ -z "$engine" ] || kill -0 "$engine" 2>/dev/null || break
    sleep 0.5
  done
  if as_root docker info >/dev/null 2>&1; then
    without "the engine answers root only (add yourself to the group docker, and log in again)"
  fi
  without "the engine does not start (see $cache/dockerd.log)"
}

# Debian's own packages make the image: it needs no image registry. Python is called as in the well-known images.
make_base() {
  command -v debootstrap >/dev/null || without "the base image is missing and debootstrap is not installed"
  say "making the base image $BASE (a minute)"
  local folder=$cache/base.new
  as_root rm -rf "$folder"
  as_root debootstrap --variant=minbase --include=ca-certificates,libgomp1,python-is-python3,python3,python3-pip,python3-venv \
    bookworm "$folder" "$MIRROR" >"$cache/debootstrap.log" 2>&1 </dev/null ||
    { as_root rm -rf "$folder"; without "the base image cannot be made (see $cache/debootstrap.log)"; }
  # The image trusts what this machine trusts.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    as_root cp /usr/local/share/ca-certificates/*.crt "$folder/usr/local/share/ca-certificates/"
    as_root chroot "$folder" update-ca-certificates >/dev/null 2>&1 || true
  fi
  as_root rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
  as_root tar -C "$folder" -c . | docker import \
    -c 'ENV LANG=C.UTF-8 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
    - "$BASE" >/dev/null
  as_root rm -rf "$folder"
}

exclusively docker
answers || start_engine
docker image inspect "$BASE" >/dev/null 2>&1 || make_base
