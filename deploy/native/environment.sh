#!/bin/sh
# Makes the Python environment from the lock with hashes. usage: environment.sh PYTHON VENV
# Does nothing when the environment was made by this Python from this lock.
set -eu
python=$1
venv=$2
stamp="$venv/.made-from"
made_from="$(sha256sum <requirements.lock) $("$python" -V) $(pwd)"

[ "$(cat "$stamp" 2>/dev/null)" != "$made_from" ] || exit 0

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed; $python is $("$python" -V). Name another: make setup PYTHON=python3.12" >&2
    exit 2
}
echo "Making the Python environment in $venv (about a minute)"
rm -f "$stamp"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -qq --no-deps --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
# The repository itself is importable from everywhere, without being installed.
pwd >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vssid.pth"
echo "$made_from" >"$stamp"
