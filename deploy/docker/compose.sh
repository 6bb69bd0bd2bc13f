#!/bin/sh
# Docker Compose with the images, the secrets and the name of this installation. usage: compose.sh ARGUMENTS…
# RUN=.run/other is a second one, beside the first. What the site sets once and for all, a line NAME=value each, stands in
# RUN/compose/settings.env: GATEWAY_PORTS=8081, IDENTITY_REPLICAS=3, SMPP_HOST=…; the environment overrides it for one call.
# In production deploy/docker/production.env comes before it: what a site has to say otherwise there if it is not to be so.
# An installation that was started with TLS=1 has docker-compose.tls.yml laid over the other file, one whose settings name a bucket
# (OBJECTS_S3_…) docker-compose.s3.yml.
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
COMPOSE_FILE=docker-compose.yml
if [ -n "${OBJECTS_S3_ENDPOINT:-}" ] || grep -qs "^OBJECTS_S3_" "$RUN/compose/settings.env"; then
    COMPOSE_FILE=$COMPOSE_FILE:docker-compose.s3.yml
fi
[ ! -e "$RUN/compose/tls" ] || COMPOSE_FILE=$COMPOSE_FILE:docker-compose.tls.yml
export COMPOSE_FILE
export VSSID_OPERATOR="${VSSID_OPERATOR:-${SUDO_USER:-$(id -un)}}"
for variables in "$RUN/compose/settings.env" "$RUN/compose/images.env" .run/images.env; do
    [ ! -e "$variables" ] || set -- --env-file "$variables" "$@"
done
[ ! -e "$RUN/compose/production" ] || set -- --env-file deploy/docker/production.env "$@"
case " $* ${COMPOSE_PROFILES:-} " in
*observability*" up "* | *" up "*observability*) ;;
*) exec docker compose "$@" ;;
esac

lacking() { # lacking ARGUMENTS… up …: the images that this needs and that are not here
    left=$#
    while [ "$left" -gt 0 ]; do
        argument=$1
        shift
        left=$((left - 1))
        if [ "$argument" = up ]; then
            shift "$left"
            break
        fi
        set -- "$@" "$argument"
    done
    for image in $(docker compose "$@" config --images); do
        docker image inspect "$image" >/dev/null 2>&1 || echo "$image"
    done
}

docker compose "$@" && exit || failed=$?
missing=$(lacking "$@")
if [ -n "$missing" ]; then
    echo "Not on this machine, and no registry gave them:" $missing >&2
    echo "Next: Prometheus alone, of Debian's package: make images-offline once, then" >&2
    echo "  sh deploy/docker/compose.sh --profile prometheus up --detach --wait prometheus" >&2
    echo "or bring these images here: docker save where there is a registry, docker load on this machine" >&2
fi
exit $failed
