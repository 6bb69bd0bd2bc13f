#!/bin/sh
# Everything in containers, stand-ins too, and what that needs first: an engine, images, secrets. Waits until all is ready.
# TLS=1 has them talk TLS from now on, TLS=0 no longer; without it an installation stays as it is.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
case ${TLS:-} in
"") step= ;;
0) step=plain ;;
1) step=tls ;;
*)
    echo "TLS is 1 or 0, not $TLS" >&2
    exit 2
    ;;
esac
sh deploy/docker/engine.sh up
sh deploy/docker/images.sh

image=$(sed -n 's/^VSSID_IMAGE=//p' .run/images.env)
mkdir -p "$RUN/compose"
docker run --rm --network none --read-only --user "$(id -u):$(id -g)" --volume "$(cd "$RUN/compose" && pwd):/made" \
    "$image-demo" deploy.docker.secrets /made $step

echo "Starting the containers" >&2
if ! sh deploy/docker/compose.sh --profile demo up --detach --wait --quiet-pull; then
    echo "Not everything became ready. Next: sh deploy/docker/compose.sh logs --tail 50" >&2
    exit 1
fi
