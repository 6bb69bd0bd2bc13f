#!/bin/sh
# Which version an installation runs: RUN/compose/images.env, which compose.sh reads. usage: image.sh take|whole|back
#   take   what was built last (.run/images.env); VSSID_IMAGE_BEFORE is then what last ran as a whole
#   whole  what runs now has become ready as a whole
#   back   VSSID_IMAGE_BEFORE; what ran until now takes its place. VSSID_JOBS_IMAGE stays: migrations, queues and permissions of the
#          newer version are more than those of the older, and replicas of the newer still run.
set -eu
cd "$(dirname "$0")/../.."
kept="${RUN:-.run}/compose/images.env"

value() { # value NAME FILE
    sed -n "s/^$1=//p" "$2" 2>/dev/null || true
}

keep() { # keep IMAGE BEFORE WHOLE JOBS
    printf 'VSSID_IMAGE=%s\nVSSID_IMAGE_BEFORE=%s\nVSSID_IMAGE_WHOLE=%s\nVSSID_JOBS_IMAGE=%s\n' "$@" >"$kept.$$"
    mv "$kept.$$" "$kept"
}

runs=$(value VSSID_IMAGE "$kept")
before=$(value VSSID_IMAGE_BEFORE "$kept")
whole=$(value VSSID_IMAGE_WHOLE "$kept")
jobs=$(value VSSID_JOBS_IMAGE "$kept")
case ${1:-} in
take)
    built=$(value VSSID_IMAGE .run/images.env)
    if [ "$built" != "$runs" ]; then
        ran=${whole:-$runs}
        [ "$ran" != "$built" ] || ran=$before
        keep "$built" "$ran" "$whole" "$built"
    fi
    ;;
whole)
    [ "$whole" = "$runs" ] || keep "$runs" "$before" "$runs" "${jobs:-$runs}"
    ;;
back)
    if [ -z "$before" ]; then
        echo "$kept names no VSSID_IMAGE_BEFORE: no other version has run here." >&2
        echo "Next: check out the version that is wanted, then make compose-upgrade" >&2
        exit 2
    fi
    if ! docker image inspect "$before" >/dev/null 2>&1; then
        echo "The image $before is no longer on this machine." >&2
        echo "Next: check out the version that it is named by, then make compose-upgrade" >&2
        exit 2
    fi
    keep "$before" "$runs" "$whole" "${jobs:-$runs}"
    ;;
*)
    sed -n '2,7s/^# //p' "$0" >&2
    exit 2
    ;;
esac
