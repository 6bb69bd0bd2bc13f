#!/bin/sh
# One role and one database per service; a role can reach no database but its own. Run once, by the image's entry point,
# when the cluster is made.
set -eu

for password_file in /run/secrets/postgres_*; do
    service=${password_file##*/postgres_}
    [ "$service" != admin ] || continue
    psql -v ON_ERROR_STOP=1 --quiet --username postgres --no-psqlrc \
        -v service="$service" -v password="$(cat "$password_file")" <<'END'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
END
done
psql -v ON_ERROR_STOP=1 --quiet --username postgres --no-psqlrc -c 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
