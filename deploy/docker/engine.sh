#!/bin/sh
# A Docker engine with Compose v2 and BuildKit. usage: engine.sh answers|check|up|down
#   answers  exit 0 when an engine answers, whoever started it
#   check    says what answers; exit 1 when something is missing
#   up       on Debian as root: installs what is missing and starts the engine; does nothing when all answers
#   down     stops the engine that `up` started; containers and images stay on the disk
set -eu

PID_FILE=/run/vssid-dockerd.pid
LOG=/var/log/vssid-dockerd.log
PLUGINS=/usr/local/lib/docker/cli-plugins
START_SECONDS=60

answers() {
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

has_compose() {
    docker compose version --short 2>/dev/null | grep -qE '^v?([2-9]|[1-9][0-9])\.'
}

missing() {
    command -v docker >/dev/null 2>&1 && answers || echo engine
    has_compose || echo docker-compose
    docker buildx version >/dev/null 2>&1 || echo docker-buildx
}

refuse() {
    echo "No $1 on this machine." >&2
    echo "Next: $2, then try again." >&2
    exit 2
}

install_engine() {
    log=$(mktemp)
    echo "Installing the Debian package docker.io" >&2
    # From Debian 13 on the command is a package of its own.
    if ! { apt-get update && cli=$(apt-cache pkgnames docker-cli | grep -x docker-cli || true) &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io $cli; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "apt-get failed; all it said is in $log" >&2
        exit 1
    fi
    rm -f "$log"
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    elif ! pid=$(cat /run/docker.pid 2>/dev/null) || ! kill -0 "$pid" 2>/dev/null; then
        echo "Starting dockerd, its log is $LOG" >&2
        # The route that packets take may allow smaller ones than Docker's default.
        interface=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
        mtu=$(cat "/sys/class/net/$interface/mtu" 2>/dev/null || echo 1500)
        setsid dockerd --pidfile "$PID_FILE" --mtu "$mtu" </dev/null >>"$LOG" 2>&1 &
    fi
    waited=0
    until answers; do
        waited=$((waited + 1))
        if [ $waited -gt $((START_SECONDS * 2)) ]; then
            tail -n 15 "$LOG" >&2 || true
            echo "The engine did not answer within $START_SECONDS s. Next: see $LOG, or \`journalctl -u docker\`" >&2
            exit 1
        fi
        sleep 0.5
    done
}

# Debian 12's own docker-compose is the old 1.29. Debian 13's packages hold one static binary each, which Debian 12's
# engine takes as a plugin: they are read from this machine's own mirror, and nothing else of Debian 13 is installed.
install_plugins() { # install_plugins PACKAGE…
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" { print $2; exit }')
    [ -n "$mirror" ] || refuse "Debian mirror in apt's sources" "name one in /etc/apt/sources.list"
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$PLUGINS"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/sources.list"
    echo "Fetching from Debian 13: $*" >&2
    apt="-qq -o Dir::Etc::sourcelist=$work/sources.list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$work/lists"
    apt="$apt -o Dir::Cache::archives=$work/archives -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root"
    # shellcheck disable=SC2086
    (cd "$work" && apt-get $apt -o Acquire::Languages=none update && apt-get $apt download "$@") >&2
    for package in "$work"/*.deb; do
        dpkg-deb --extract "$package" "$work/root"
    done
    find "$work/root" -path '*/cli-plugins/docker-*' -type f -exec install -m 755 {} "$PLUGINS" \;
}

up() {
    lacking=$(missing)
    [ -n "$lacking" ] || return 0
    command -v apt-get >/dev/null 2>&1 ||
        refuse "Docker engine with Compose v2 and buildx answers" "install Docker 20.10 or newer with both plugins, and start it"
    [ "$(id -u)" = 0 ] ||
        refuse "Docker engine with Compose v2 and buildx answers to you" "sudo make engine (installs and starts it), and be in the group docker"
    case $lacking in *engine*)
        command -v dockerd >/dev/null 2>&1 || install_engine
        start_engine
        ;;
    esac
    plugins=$(missing | grep '^docker-' || true)
    # shellcheck disable=SC2086
    [ -z "$plugins" ] || install_plugins $plugins
    check
}

check() {
    lacking=$(missing | tr '\n' ' ')
    if [ -n "$lacking" ]; then
        echo "missing: $lacking" >&2
        return 1
    fi
    echo "Docker $(docker version --format '{{.Server.Version}}'), Compose $(docker compose version --short)"
}

down() {
    [ -e "$PID_FILE" ] || return 0
    pid=$(cat "$PID_FILE")
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
    rm -f "$PID_FILE"
}

case ${1:-} in
answers | check | up | down) "$1" ;;
*)
    sed -n '2,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac
