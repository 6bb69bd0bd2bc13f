#!/bin/sh
# Builds stand-ins for every base image from Debian packages alone, and the service image on top. usage: build.sh FILE
# Needs no image registry. Writes the names of the images to FILE, as the variables that docker-compose.yml reads.
# What is built already stays; REFRESH=1 builds anew, with the packages as they are by then.
set -eu
cd "$(dirname "$0")/../../.."
variables=$1
debian=vssid-offline/debian:trixie
service=vssid:offline-$(sh deploy/docker/version.sh)

access=$(mktemp -d)
trap 'rm -rf "$access"' EXIT
sh deploy/docker/host_access.sh "$access"

debian_image() {
    command -v debootstrap >/dev/null 2>&1 || {
        echo "Installing the Debian package debootstrap" >&2
        { apt-get -qq update && apt-get -qq install -y --no-install-recommends debootstrap; } >/dev/null
    }
    echo "Building $debian" >&2
    mirror=$(awk '{ print $2; exit }' "$access/sources.list")
    if ! debootstrap --variant=minbase trixie "$access/root" "$mirror" >"$access/log" 2>&1; then
        tail -n 20 "$access/log" >&2
        echo "debootstrap failed; it read from $mirror" >&2
        exit 1
    fi
    # The mirror is this machine's own affair. Manuals and translations are read by nobody in a container.
    rm -rf "$access"/root/etc/apt/sources.list "$access"/root/var/lib/apt/lists/* "$access"/root/var/cache/apt/* \
        "$access"/root/var/log/*.log "$access"/root/usr/share/doc/* "$access"/root/usr/share/man/* \
        "$access"/root/usr/share/locale/* "$access"/root/etc/resolv.conf "$access"/root/etc/hostname
    for folder in doc man locale info; do
        echo "path-exclude=/usr/share/$folder/*"
    done >"$access/root/etc/dpkg/dpkg.cfg.d/small"
    tar -C "$access/root" --numeric-owner -c . | docker import - "$debian" >/dev/null
}

stand_in() { # stand_in TARGET IMAGE
    echo "Building $2" >&2
    DOCKER_BUILDKIT=1 docker build --quiet --target "$1" --tag "$2" ${REFRESH:+--no-cache} \
        --secret id=apt,src="$access/apt.conf" --secret id=sources,src="$access/sources.list" \
        --secret id=ca,src="$access/ca.crt" \
        --build-arg HTTP_PROXY --build-arg HTTPS_PROXY --build-arg NO_PROXY deploy/docker/airgap >/dev/null
}

[ -z "${REFRESH:-}" ] && docker image inspect "$debian" >/dev/null 2>&1 || debian_image
stand_in python vssid-offline/python:3.13-trixie
stand_in postgres vssid-offline/postgres:17-trixie
stand_in rabbitmq vssid-offline/rabbitmq:4.0-trixie
stand_in redis vssid-offline/redis:8-trixie
stand_in prometheus vssid-offline/prometheus:2.53-trixie
sh deploy/docker/build.sh "$service" vssid-offline/python:3.13-trixie

mkdir -p "$(dirname "$variables")"
cat >"$variables" <<END
PYTHON_IMAGE=vssid-offline/python:3.13-trixie
POSTGRES_IMAGE=vssid-offline/postgres:17-trixie
RABBITMQ_IMAGE=vssid-offline/rabbitmq:4.0-trixie
REDIS_IMAGE=vssid-offline/redis:8-trixie
PROMETHEUS_IMAGE=vssid-offline/prometheus:2.53-trixie
VSSID_IMAGE=$service
END
docker image ls --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep -E '^vssid(-offline/|:offline)' >&2
