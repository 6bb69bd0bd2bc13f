#!/bin/sh
# Makes the root of another Debian release with the servers that a native installation needs, to test on their versions.
# usage: debian_root.sh SUITE ROOT. Does nothing, in no time, when it is there; remove the folder to have it made anew.
# MIRROR names the Debian mirror, by default the one this machine's apt uses.
set -eu
suite=$1
root=$2
enter=$(dirname "$0")/enter_root.sh
servers="rabbitmq-server postgresql redis-server"

versions() {
    echo "The servers of $root:"
    chroot "$root" dpkg-query --show --showformat '${db:Status-Abbrev} ${Package} ${Version}\n' \
        rabbitmq-server 'postgresql-[0-9]*' redis-server | sed -n 's/^ii */  /p'
}

fail() {
    printf '%s\n' "$@" >&2
    exit 2
}

step() { # step WHAT COMMAND…: say how long it takes; what it prints is shown when it fails
    what=$1
    shift
    printf '  %s … ' "$what"
    started=$(date +%s)
    if ! "$@" >>"$log" 2>&1; then
        printf 'failed\n'
        tail -n 20 "$log" >&2
        fail "All it said is in $log. Once it is mended, the same command starts afresh." \
            "Is $mirror the wrong mirror? Name another: MIRROR=… make test-compat"
    fi
    printf '%s s\n' "$(($(date +%s) - started))"
}

mirror_of_apt() {
    apt-get indextargets --format '$(LABEL)=$(SITE)' 'Created-By: Packages' | sed -n '/^Debian=/{s///p;q}'
}

install_servers() {
    policy="$root.part/usr/sbin/policy-rc.d" # nothing is started while it is installed
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" &&
        unshare --mount sh "$enter" "$root.part" -- apt-get update &&
        unshare --mount sh "$enter" "$root.part" -- env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends $servers &&
        chroot "$root.part" apt-get clean
}

if [ -d "$root" ]; then
    versions
    exit 0
fi
[ "$(id -u)" = 0 ] || fail "Only root can make another Debian's root. Run this: sudo make test-compat"
command -v apt-get >/dev/null || fail "This is not Debian. Make a root of $suite with $servers in $root, then try again."

mkdir -p "$(dirname "$root")"
log=$root.log
: >"$log"
mirror=${MIRROR:-}
echo "Making a root of Debian $suite in $root (about two minutes, once)"
if ! command -v debootstrap >/dev/null; then
    step "apt-get update" apt-get update
    step "debootstrap" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap
fi
if [ -z "$mirror" ] && [ -z "$(mirror_of_apt)" ]; then
    step "apt-get update" apt-get update
fi
mirror=${mirror:-$(mirror_of_apt)}
[ -n "$mirror" ] || fail "This machine's apt names no Debian mirror. Name one: MIRROR=… make test-compat"

rm -rf "$root.part" # what a broken-off run left
step "base system" unshare --mount debootstrap --variant=minbase "$suite" "$root.part" "$mirror"
step "$servers" install_servers
mv "$root.part" "$root"
versions
