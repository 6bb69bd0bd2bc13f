#!/bin/sh
# Everything in containers, and what that needs first: an engine, images, secrets. Waits until all is ready.
# usage: up.sh [production]
#   production  without the stand-ins: towards the parties that RUN/compose/settings.env names. It stays that way.
# TLS=1 has the containers talk TLS from now on, TLS=0 no longer; without it an installation stays as it is.
set -eu
cd "$(dirname "$0")/../.."
export RUN="${RUN:-.run}"
settings="$RUN/compose/settings.env"
PARTIES="POPULATION_REGISTER_URL SMPP_HOST SMPP_SYSTEM_ID SMTP_HOST SMTP_PORT MAIL_FROM ACTIVATION_URL"

unnamed() { # which of these neither the environment nor the site's settings name
    for name in $PARTIES; do
        [ -n "$(printenv "$name")" ] || grep -qs "^$name=." "$settings" || echo "$name"
    done
}

case ${TLS:-} in
"") step= ;;
0) step=plain ;;
1) step=tls ;;
*)
    echo "TLS is 1 or 0, not $TLS" >&2
    exit 2
    ;;
esac
case ${1:-} in
"")
    if [ -e "$RUN/compose/production" ]; then
        echo "The installation $RUN is in production: no stand-ins and no demo beside real citizens." >&2
        echo "Next: make compose-production starts it; RUN=.run/other is another installation" >&2
        exit 2
    fi
    ;;
production)
    missing=$(unnamed)
    if [ -n "$missing" ]; then
        echo "Not named in $settings:" $missing >&2
        echo "Next: a line NAME=value for each (docs/settings.md), then make compose-production" >&2
        exit 2
    fi
    ;;
*)
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
    ;;
esac
sh deploy/docker/prepare.sh $step "$@"
sh deploy/docker/image.sh take
sh deploy/docker/start.sh
