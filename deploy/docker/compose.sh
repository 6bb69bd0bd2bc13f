#!/bin/sh
# Docker Compose with the images, the secrets and the name of this installation. usage: compose.sh ARGUMENTS…
# RUN=.run/other is a second one, beside the first. What the site sets once and for all, a line NAME=value each, stands in
# RUN/compose/settings.env: GATEWAY_PORTS=8081, IDENTITY_REPLICAS=3, SMPP_HOST=…; the environment overrides it for one call.
# An installation that was started with TLS=1 has docker-compose.tls.yml laid over the other file.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
# However the folder is written, it is one installation.
folder=$(cd "$RUN" 2>/dev/null && pwd || echo "$PWD/$RUN")
export COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-vssid-$(echo "$folder" | cksum | cut -d " " -f 1)}"
[ ! -e "$RUN/compose/tls" ] || export COMPOSE_FILE=docker-compose.yml:docker-compose.tls.yml
export VSSID_OPERATOR="${VSSID_OPERATOR:-${SUDO_USER:-$(id -un)}}"
for variables in "$RUN/compose/settings.env" .run/images.env; do
    [ ! -e "$variables" ] || set -- --env-file "$variables" "$@"
done
exec docker compose "$@"
