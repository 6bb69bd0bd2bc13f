#!/bin/sh
# Builds the service image and, under the same name with -demo, the one of the demo. usage: build.sh IMAGE [PYTHON_IMAGE]
set -eu
cd "$(dirname "$0")/../.."
image=$1
python=${2:-}
access=$(mktemp -d)
trap 'rm -rf "$access"' EXIT
sh deploy/docker/host_access.sh "$access"

build() { # build TAG [--target STAGE]
    tag=$1
    shift
    echo "Building $tag" >&2
    DOCKER_BUILDKIT=1 docker build --quiet --file deploy/docker/Dockerfile --tag "$tag" "$@" \
        ${python:+--build-arg PYTHON_IMAGE="$python"} \
        --secret id=pip,src="$access/pip.conf" --secret id=ca,src="$access/ca.crt" \
        --build-arg HTTP_PROXY --build-arg HTTPS_PROXY --build-arg NO_PROXY . >/dev/null
}

build "$image"
build "$image-demo" --target demo
echo "$image: $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB" >&2
