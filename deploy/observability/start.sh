#!/bin/sh
# Starts Prometheus in docker-compose.yml and tells it how many replicas there ought to be, from IDENTITY_REPLICAS and the like:
# Docker's DNS forgets a replica that is gone, so that nobody would miss it. usage: start.sh FOLDER OPTIONS…
# FOLDER is where the rules go, of which prometheus.yml reads all: one series `replicas_wanted` for each service.
set -eu
folder=$1
shift
{
    echo "groups:"
    echo "  - name: wanted"
    echo "    rules:"
    for wanted in registration="${REGISTRATION_REPLICAS:-1}" identity="${IDENTITY_REPLICAS:-1}" \
        notification="${NOTIFICATION_REPLICAS:-1}" history="${HISTORY_REPLICAS:-1}" gateway="${GATEWAY_REPLICAS:-1}"; do
        echo "      - { record: replicas_wanted, labels: { job: ${wanted%%=*} }, expr: 'vector(${wanted#*=})' }"
    done
} >"$folder/wanted.yml"
exec prometheus "$@"
