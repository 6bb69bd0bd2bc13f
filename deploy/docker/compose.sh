#!/bin/sh
# Docker Compose with the images, the secrets and the name of this installation. usage: compose.sh ARGUMENTS…
# RUN=.run/other is a second one, beside the first. What the site sets once and for all, a line NAME=value each, stands in
# RUN/compose/settings.env: GATEWAY_PORTS=8081, IDENTITY_REPLICAS=3, SMPP_HOST=…; the environment overrides it for one call.
# An installation that was started with TLS=1 has docker-compose.tls.yml laid over the other file.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
# The name by which containers and volumes are found again is made of the folder at the first start, and kept: whoever moves
# the folder takes it along.
kept="$RUN/compose/project"
if [ -z "${COMPOSE_PROJECT_NAME:-}" ]; then
    folder=$(cd "$RUN" 2>/dev/null && pwd || echo "$PWD/$RUN")
    COMPOSE_PROJECT_NAME=$(cat "$kept" 2>/dev/null || echo "vssid-$(echo "$folder" | cksum | cut -d " " -f 1)")
fi
export COMPOSE_PROJECT_NAME
if [ -d "$RUN/compose" ] && [ ! -e "$kept" ]; then
    echo "$COMPOSE_PROJECT_NAME" >"$kept.$$" && mv "$kept.$$" "$kept"
fi
[ ! -e "$RUN/compose/tls" ] || export COMPOSE_FILE=docker-compose.yml:docker-compose.tls.yml
export VSSID_OPERATOR="${VSSID_OPERATOR:-${SUDO_USER:-$(id -un)}}"
for variables in "$RUN/compose/settings.env" "$RUN/compose/images.env" .run/images.env; do
    [ ! -e "$variables" ] || set -- --env-file "$variables" "$@"
done
exec docker compose "$@"
