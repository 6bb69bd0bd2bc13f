#!/bin/sh
# The name of the version that is built here: its commit, with -changed where files differ from it; `local` without Git.
set -eu
cd "$(dirname "$0")/../.."
commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || {
    echo local
    exit
}
[ -z "$(git status --porcelain)" ] || commit=$commit-changed
echo "$commit"
