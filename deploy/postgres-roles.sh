#!/bin/sh
# Creates the two roles and the database, once. The PostgreSQL of compose.yaml runs it on its first
# start; it also works with any other server. docs/operating.md lists the rights of each role.
#
# SECRETS is the folder that scripts/secrets made; psql's own variables (PGHOST, …) say where to.
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set owner `cat "$SECRETS/owner_password"`
\set application `cat "$SECRETS/application_password"`
CREATE ROLE sluice_owner LOGIN PASSWORD :'owner';
CREATE ROLE sluice LOGIN PASSWORD :'application';
GRANT pg_monitor TO sluice;
CREATE DATABASE sluice OWNER sluice_owner TEMPLATE template0 ENCODING 'UTF8';
SQL
