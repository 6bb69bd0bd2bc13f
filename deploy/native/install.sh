#!/bin/sh
# Installs the Debian packages that a native installation needs and that are missing, and those named as arguments whose
# command has the package's name. POSIX shell alone, because on a bare machine nothing else is there yet. Does nothing, in
# no time, when all is there.
set -eu

missing=""
need() { # need PACKAGE COMMAND…: note the package when the command fails
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

need python3 command -v python3
need python3-venv python3 -c 'import ensurepip, venv'
need rabbitmq-server test -x /usr/lib/rabbitmq/bin/rabbitmq-server
need postgresql sh -c 'ls /usr/lib/postgresql/*/bin/postgres'
need redis-server command -v redis-server
for more in "$@"; do
    need "$more" command -v "$more"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing on this machine:$missing" >&2
    if command -v apt-get >/dev/null 2>&1; then
        echo "Run this, then try again:" >&2
        echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    else
        echo "This is not Debian: install RabbitMQ 3.10+, PostgreSQL 15+, Redis 7+ and Python 3.11+ with venv," >&2
        echo "in the places where Debian has them, then try again. On Debian it would be:" >&2
        echo "  apt-get install -y --no-install-recommends$missing" >&2
    fi
    exit 2
fi

# The installation uses private instances: keep Debian from starting the system-wide ones meanwhile.
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

log=$(mktemp)
echo "Installing Debian packages:$missing"
if ! { apt-get update &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get failed; all it said is in $log" >&2
    exit 1
fi
rm -f "$log"
