#!/bin/sh
# Builds the service image. usage: build.sh IMAGE [PYTHON_IMAGE]
set -eu
cd "$(dirname "$0")/../.."
image=$1
access=$(mktemp -d)
trap 'rm -rf "$access"' EXIT
sh deploy/docker/host_access.sh "$access"

echo "Building $image" >&2
DOCKER_BUILDKIT=1 docker build --quiet --file deploy/docker/Dockerfile --tag "$image" \
    ${2:+--build-arg PYTHON_IMAGE="$2"} \
    --secret id=pip,src="$access/pip.conf" --secret id=ca,src="$access/ca.crt" \
    --build-arg HTTP_PROXY --build-arg HTTPS_PROXY --build-arg NO_PROXY . >/dev/null
echo "$image: $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB" >&2
