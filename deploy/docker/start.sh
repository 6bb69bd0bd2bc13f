#!/bin/sh
# Starts the containers of an installation whose images and secrets are there, and waits until all is ready. The stand-ins are
# among them unless it is in production.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
echo "Starting the containers" >&2
[ -e "$RUN/compose/production" ] || set -- --profile demo
if ! sh deploy/docker/compose.sh "$@" up --detach --wait --quiet-pull; then
    echo "Not everything became ready. Next: sh deploy/docker/compose.sh logs --tail 50" >&2
    exit 1
fi
sh deploy/docker/image.sh whole
