#!/usr/bin/env bash
# Installs the system packages of the given sets, unless all of them are there: packages.sh base docker window
. "$(dirname "$0")/common.sh"

base="build-essential ca-certificates cmake curl git libgomp1 libssl-dev pkg-config python3 python3-venv"
docker="debootstrap docker.io iptables"
registry="apache2-utils docker-registry"
cluster="munge openssh-client openssh-server slurm-client slurm-wlm slurmctld slurmd"
window="dbus-x11 imagemagick libayatana-appindicator3-dev librsvg2-dev libwebkit2gtk-4.1-dev libxdo-dev webkit2gtk-driver xvfb"

wanted=
for set in "$@"; do
  case $set in
    base | cluster | registry | window) wanted+=" ${!set}" ;;
    # An engine of another make (docker-ce, podman-docker) is as good.
    docker) command -v dockerd >/dev/null || docker info >/dev/null 2>&1 || wanted+=" $docker" ;;
    *) fail "no such set of packages: $set" "base, cluster, docker, registry or window" ;;
  esac
done

missing=
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=" $package"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || fail "these packages are missing:$missing" "install them with your distribution's tool; only Debian and Ubuntu are set up here"
say "installing$missing"
exclusively packages
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -q >"$cache/apt.log" 2>&1 || { tail -5 "$cache/apt.log" >&2; fail "the package lists cannot be fetched"; }
# shellcheck disable=SC2086
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >>"$cache/apt.log" 2>&1 </dev/null ||
  { tail -15 "$cache/apt.log" >&2; fail "some packages cannot be installed" "see $cache/apt.log"; }

# Tests start servers of their own. Debian's packages start the machine's, which nobody has asked for.
if [ -d /run/systemd/system ]; then
  for package in $missing; do
    case $package in
      openssh-server) as_root systemctl disable --now ssh >/dev/null 2>&1 || true ;;
      docker-registry | munge | slurmctld | slurmd) as_root systemctl disable --now "$package" >/dev/null 2>&1 || true ;;
    esac
  done
fi
