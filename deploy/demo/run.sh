#!/bin/sh
# The demo, in containers or natively. usage: run.sh [compose|native]
# Without a choice: in containers where a Docker engine with Compose v2 answers, else natively.
set -eu
cd "$(dirname "$0")/../.."
engine=${1:-}
if [ -z "$engine" ]; then
    if found=$(sh deploy/docker/engine.sh check 2>&1); then
        engine=compose
        echo "In containers, because an engine answers: $found. ENGINE=native runs without." >&2
    else
        engine=native
        echo "Natively, because no Docker engine answers ($found). ENGINE=compose brings one up." >&2
    fi
fi
case $engine in
native)
    [ "${TLS:-0}" = 0 ] || { echo "TLS=1 is for containers: ENGINE=compose" >&2 && exit 2; }
    make --no-print-directory setup
    exec .venv/bin/python -m deploy.demo
    ;;
compose)
    sh deploy/docker/up.sh
    exec sh deploy/docker/compose.sh --profile demo --profile play run --rm --no-deps demo
    ;;
*)
    echo "ENGINE is compose or native, not $engine" >&2
    exit 2
    ;;
esac
