#!/bin/sh
# Starts PostgreSQL as the official image does, as far as docker-compose.yml asks for it: on an empty PGDATA it makes the
# cluster (POSTGRES_PASSWORD_FILE, POSTGRES_INITDB_ARGS) and runs what lies in /docker-entrypoint-initdb.d, reachable by
# nobody else meanwhile.
set -eu

[ "${1:-postgres}" = postgres ] || exec "$@"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD_FILE:?names the file with the password of the role postgres}"
    # shellcheck disable=SC2086
    initdb --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    export PGUSER=postgres PGHOST=/var/run/postgresql PGPASSFILE="$PGDATA/.pgpass-once"
    (umask 077 && echo "*:*:*:postgres:$(cat "$POSTGRES_PASSWORD_FILE")" >"$PGPASSFILE")
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [ -e "$script" ] || continue
        echo "running $script"
        sh "$script"
    done
    pg_ctl -D "$PGDATA" -w -m fast stop
    rm -f "$PGPASSFILE"
    unset PGUSER PGHOST PGPASSFILE
fi
exec "$@" -c listen_addresses='*'
