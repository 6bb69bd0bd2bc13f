#!/bin/sh
# Another version for an installation in containers that runs. usage: upgrade.sh [back]
# First what only adds: migrations, queues, permissions. Then the services one by one, those that are called before those that
# call, and of each one replica after the other, each waited for: two or more, and nobody notices. `back` is the way back to the
# image before, in the opposite order; what was added stays.
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

jobs="migrate-registration migrate-identity migrate-notification migrate-history topology permissions"
case ${1:-} in
"")
    sh deploy/docker/prepare.sh
    sh deploy/docker/image.sh take
    for job in $jobs; do
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
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
    ;;
esac

what='{{index .Config.Labels "com.docker.compose.config-hash"}} {{index .Config.Labels "com.docker.compose.oneoff"}}'

replace() { # replace SERVICE: its replicas one by one, those that are this version already left as they are, and an operator's
    # command that runs in one of its own. Called where `set -e` counts for nothing: each step says itself when it failed.
    wanted=$(compose config --hash "$1") || return
    replicas=$(compose ps --all --quiet "$1") || return
    for replica in $replicas; do
        is=$(docker inspect --format "$what" "$replica") || return
        case $is in
        "${wanted#* } "* | *" True") continue ;;
        esac
        docker stop "$replica" >/dev/null && docker rm "$replica" >/dev/null || return
        # Not with --no-deps: to Compose such a container is another one, which the next `up` makes anew.
        compose up --detach --wait --no-recreate "$1" || return
    done
    compose up --detach --wait "$1"
}

# A service would be made anew together with a job that it waits for, all replicas at once: the jobs before.
compose up --detach $jobs || refuse "The jobs were not made anew; the services still run the version before." "see above"
for service in $order; do
    echo "$service" >&2
    replace "$service" || refuse "$service did not become ready." \
        "sh deploy/docker/compose.sh logs --tail 50 $service; make compose-back goes to the version before"
done
sh deploy/docker/start.sh
sed -n 's/^VSSID_IMAGE=/It runs /p' "$RUN/compose/images.env" >&2
