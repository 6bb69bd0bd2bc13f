#!/bin/sh
# Puts databases back to what a backup holds, by default all four, and brings back photos that are missing.
# usage: restore.sh BACKUP [SERVICE…]; asks first, unless YES=1
# The services whose databases go back are stopped meanwhile. The databases as they are now stay, under other names.
set -eu
if [ $# = 0 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
backup=$(cd "$1" && pwd)
shift
[ $# != 0 ] || set -- registration identity notification history
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"

compose() {
    sh deploy/docker/compose.sh "$@"
}

refuse() {
    echo "$1" >&2
    exit 1
}

for service in "$@"; do
    case $service in
    registration | identity | notification | history) ;;
    *) refuse "$service has no database; these have: registration identity notification history" ;;
    esac
done
[ -e "$backup/sha256sums" ] || refuse "$backup holds no whole backup: there is no sha256sums"
(cd "$backup" && sha256sum --check --quiet sha256sums) || refuse "$backup is not as it was written"
if [ "${YES:-}" != 1 ]; then
    printf 'Replace the databases of %s by %s? [y/N] ' "$*" "$(basename "$backup")" >&2
    read -r answer || answer=
    [ "$answer" = y ] || refuse "Nothing was changed."
fi

# Beside the database first, so that a dump that does not go in changes nothing; then the two are swapped.
replace='set -eu
export PGPASSWORD=$(cat /run/secrets/postgres_admin) PGHOST=127.0.0.1 PGUSER=postgres
dropdb --if-exists --force "$0_restoring"
createdb -O "$0" -T template0 -E UTF8 "$0_restoring"
psql -qc "REVOKE ALL ON DATABASE $0_restoring FROM PUBLIC"
pg_restore --no-owner --no-privileges --exit-on-error --role "$0" -d "$0_restoring"
psql -q1 -v ON_ERROR_STOP=1 -c "ALTER DATABASE $0 WITH ALLOW_CONNECTIONS false" \
    -c "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname IN (\$\$$0\$\$, \$\$$0_restoring\$\$)" \
    -c "ALTER DATABASE $0 RENAME TO $1" -c "ALTER DATABASE $0_restoring RENAME TO $0" >/dev/null'
now=$(date -u +%Y%m%d%H%M%S)
compose stop "$@"
for service in "$@"; do
    kept=${service}_before_$now
    compose exec -T postgres sh -c "$replace" "$service" "$kept" <"$backup/$service.dump" ||
        refuse "$service was not restored and is stopped; its database is as it was. Next: see above, then try again"
    compose run --rm "migrate-$service" </dev/null
    compose run --rm -T vssid after-restore "$service" </dev/null
    echo "$service: restored; what was there is kept as the database $kept" >&2
done
if grep -qs "^OBJECTS_S3_" "$RUN/compose/settings.env"; then
    echo "photos: they lie in the bucket; what is missing there has to come back from its own copy" >&2
else
    compose run --rm -T --no-deps --entrypoint tar registration -xf - --skip-old-files -C /var/lib/vssid/objects \
        <"$backup/objects.tar"
    echo "photos: those that were missing are back" >&2
fi
sh deploy/docker/start.sh
echo "Next: sh deploy/docker/compose.sh run --rm vssid reconcile" >&2
