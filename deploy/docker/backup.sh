#!/bin/sh
# The four databases, all begun at once, then the photos, then the installation itself: its keys, secrets and settings. Services
# may run. usage: backup.sh FOLDER
# Makes a folder in FOLDER, named by its time; `sha256sums`, written last, says that the backup is whole. `vssid backup` does this
# natively; in containers PostgreSQL's tools are in its own.
set -eu
if [ $# != 1 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi
umask 077
made=$(mkdir -p "$1" && cd "$1" && pwd)/$(date -u +%Y%m%dT%H%M%SZ)
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
mkdir "$made"

compose() {
    sh deploy/docker/compose.sh "$@"
}

fail() {
    echo "$1 failed: $made is not a whole backup." >&2
    exit 1
}

dump='PGPASSWORD=$(cat /run/secrets/postgres_admin) exec pg_dump -h 127.0.0.1 -U postgres --format=custom "$0"'
pids=
for service in registration identity notification history; do
    compose exec -T postgres sh -c "$dump" "$service" >"$made/$service.dump" </dev/null &
    pids="$pids $!"
done
failed=
for pid in $pids; do
    wait "$pid" || failed=1
done
[ -z "$failed" ] || fail "pg_dump"

# After the databases, so that every photo they name is here; half-written ones are not. Photos never change, but one that goes
# while it is read has tar exit with 1: whether the archive is whole is asked of the archive.
compose run --rm -T --no-deps --entrypoint tar vssid -cf - -C /var/lib/vssid/objects --exclude=./.incoming . \
    >"$made/objects.tar" </dev/null || [ $? = 1 ] || fail "tar of the photos"
[ -s "$made/objects.tar" ] && tar -tf "$made/objects.tar" >/dev/null || fail "tar of the photos"

tar -cf "$made/installation.tar" -C "$RUN" compose
(cd "$made" && sha256sum ./*.dump ./*.tar >"sha256sums.$$" && sync ./* && mv "sha256sums.$$" sha256sums && sync .)
echo "$made"
if grep -qs "^OBJECTS_S3_" "$RUN/compose/settings.env"; then
    echo "Not in it: the photos in the bucket; its server has to copy them" >&2
fi
echo "Next: keep installation.tar apart from the rest: it holds every key, and who has both can read all" >&2
