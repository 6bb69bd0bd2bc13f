#!/bin/sh
# Becomes COMMAND, in another Debian's root, where it sees this machine's processes, devices and the named folders.
# usage: unshare --mount sh enter_root.sh ROOT FOLDER… -- COMMAND…
# The mounts are in the namespace that `unshare` made: nobody else sees them, and they go with the last process in it.
set -eu

root=$1
shift

show() { # show FOLDER: there, where it is here
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
}

show /proc
show /dev
while [ "$1" != -- ]; do
    show "$1"
    shift
done
shift
exec chroot "$root" "$@"
