#!/bin/sh
# Docker Compose with the images, the secrets and the name of this installation. usage: compose.sh ARGUMENTS…
# An installation that was started with TLS=1 has docker-compose.tls.yml laid over the other one.
# RUN=.run/other is a second one, beside the first; GATEWAY_PORTS=8081 has its gateway listen elsewhere.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
export COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-vssid-$(echo "$PWD/$RUN" | cksum | cut -d " " -f 1)}"
[ ! -e "$RUN/compose/tls" ] || export COMPOSE_FILE=docker-compose.yml:docker-compose.tls.yml
images=.run/images.env
[ ! -e $images ] || set -- --env-file $images "$@"
exec docker compose "$@"
