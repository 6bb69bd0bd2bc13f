#!/bin/sh
# Adds the peers, the plots and the profiler to the environment, from a lock with hashes. usage: environment.sh VENV
# Does nothing when they are there.
set -eu
venv=$1
stamp="$venv/.bench-made-from"
made_from="$(cat requirements.lock requirements-bench.lock | sha256sum)"

[ "$(cat "$stamp" 2>/dev/null)" != "$made_from" ] || exit 0
echo "Adding the bench's packages to $venv"
"$venv/bin/python" -m pip install -qq --no-deps --no-compile --disable-pip-version-check --require-hashes -r requirements-bench.lock
echo "$made_from" >"$stamp"
