#!/bin/sh
# Writes down how this machine reaches its package mirrors, for builds that run in containers. usage: host_access.sh FOLDER
# What is written is handed to `docker build` as secrets: it is in no layer, and in no history of an image.
#   pip.conf       index, proxy and certificates of pip
#   apt.conf       proxy and certificates of apt; names sources.list
#   sources.list   Debian 13 on this machine's own mirror; empty where there is no apt
#   ca.crt         the certificates that this machine trusts
set -eu
folder=$1
umask 077
mkdir -p "$folder"

certificates=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
cat "$certificates" >"$folder/ca.crt" 2>/dev/null || : >"$folder/ca.crt"

{
    echo "[global]"
    [ ! -s "$folder/ca.crt" ] || echo "cert = /run/secrets/ca"
    # An index in a folder of this machine is not there in a container.
    python3 -m pip config list 2>/dev/null |
        sed -n "s/^[a-z:]*[.]\(index-url\|trusted-host\|proxy\|default-timeout\|timeout\)='\(.*\)'$/\1 = \2/p" |
        sed 's/^default-//' | awk '!seen[$1]++ && !/file:/'
} >"$folder/pip.conf"

: >"$folder/sources.list"
: >"$folder/apt.conf"
command -v apt-get >/dev/null 2>&1 || exit 0
mirrors=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sort -u)
echo "$mirrors" | awk '
    $1 == "Debian" { print "deb", $2, "trixie main"; print "deb", $2, "trixie-updates main" }
    $1 == "Debian-Security" { print "deb", $2, "trixie-security main" }' >"$folder/sources.list"
{
    apt-config dump Acquire | grep -iE '^Acquire::(https?::|Check-)' || true
    echo 'Dir::Etc::sourcelist "/run/secrets/sources";'
    echo 'Dir::Etc::sourceparts "/dev/null";'
    [ ! -s "$folder/ca.crt" ] || echo 'Acquire::https::CaInfo "/run/secrets/ca";'
    # Secrets of a build are readable by its root alone.
    echo 'APT::Sandbox::User "root";'
    echo 'APT::Install-Recommends "false";'
    echo 'Acquire::Languages "none";'
} >"$folder/apt.conf"
