#!/bin/sh
# Builds what the compose file runs, and writes the names of the images to .run/images.env.
# The service image is named by its version, so that the one before stays. On the official images where a registry answers, else on images made of Debian packages alone. What was chosen once stays.
set -eu
cd "$(dirname "$0")/../.."
variables=.run/images.env
service=vssid:$(sh deploy/docker/version.sh)

if grep -q '^POSTGRES_IMAGE=' $variables 2>/dev/null; then
    exec sh deploy/docker/airgap/build.sh $variables
fi
if [ -e $variables ] || timeout 120 docker pull --quiet python:3.13-slim >/dev/null 2>&1; then
    sh deploy/docker/build.sh $service
    mkdir -p "$(dirname $variables)"
    echo "VSSID_IMAGE=$service" >$variables
else
    echo "No image registry answers: all images are made of Debian packages (about four minutes)" >&2
    exec sh deploy/docker/airgap/build.sh $variables
fi
