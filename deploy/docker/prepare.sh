#!/bin/sh
# What an installation in containers needs before it starts: an engine, images, secrets. Starts nothing. usage: prepare.sh [STEP…]
# STEP is one of deploy/docker/secrets.py: tls, plain, production, publish, sign, forget, objects; --now: forget does not wait.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
sh deploy/docker/engine.sh up
sh deploy/docker/images.sh

image=$(sed -n 's/^VSSID_IMAGE=//p' .run/images.env)
mkdir -p "$RUN/compose"
docker run --rm --network none --read-only --user "$(id -u):$(id -g)" --volume "$(cd "$RUN/compose" && pwd):/made" \
    "$image-demo" deploy.docker.secrets /made "$@"
