#!/bin/sh
# Another version for an installation in containers that runs. usage: upgrade.sh [back]
# First what only adds: migrations, queues, permissions. Then the services one by one, each waited for, those that are called
# before those that call. `back` is the way back to the image before, in the opposite order; what was added stays.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"

compose() {
    sh deploy/docker/compose.sh "$@"
}

refuse() {
    echo "$1" >&2
    echo "Next: $2" >&2
    exit 1
}

case ${1:-} in
"")
    sh deploy/docker/prepare.sh
    sh deploy/docker/image.sh take
    for job in migrate-registration migrate-identity migrate-notification migrate-history permissions; do
        compose run --rm "$job" || refuse "$job failed; the services still run the version before." \
            "mend it and make compose-upgrade again, or make compose-back"
    done
    order="history notification identity registration gateway"
    ;;
back)
    sh deploy/docker/image.sh back
    order="gateway registration identity notification history"
    ;;
*)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
    ;;
esac

# Not with --no-deps: to Compose such a container is another one, which the next `up` makes anew.
for service in $order; do
    echo "$service" >&2
    compose up --detach --wait "$service" || refuse "$service did not become ready." \
        "sh deploy/docker/compose.sh logs --tail 50 $service; make compose-back goes to the version before"
done
sh deploy/docker/start.sh
sed -n 's/^VSSID_IMAGE=/It runs /p' "$RUN/compose/images.env" >&2
