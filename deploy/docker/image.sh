#!/bin/sh
# Which version an installation runs: RUN/compose/images.env, which compose.sh reads. usage: image.sh take|back
#   take  what was built last (.run/images.env); what ran until now becomes VSSID_IMAGE_BEFORE
#   back  VSSID_IMAGE_BEFORE; what ran until now takes its place
set -eu
cd "$(dirname "$0")/../.."
kept="${RUN:-.run}/compose/images.env"

value() { # value NAME FILE
    sed -n "s/^$1=//p" "$2" 2>/dev/null || true
}

keep() { # keep IMAGE BEFORE
    { echo "VSSID_IMAGE=$1" && echo "VSSID_IMAGE_BEFORE=$2"; } >"$kept.$$"
    mv "$kept.$$" "$kept"
}

runs=$(value VSSID_IMAGE "$kept")
before=$(value VSSID_IMAGE_BEFORE "$kept")
case ${1:-} in
take)
    built=$(value VSSID_IMAGE .run/images.env)
    [ "$built" = "$runs" ] || keep "$built" "$runs"
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
    keep "$before" "$runs"
    ;;
*)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
    ;;
esac
