#!/bin/sh
# Make the role that the service works as: it owns its database and has no other right on the server. A right that it has not, no
# fault of the service and no dump that is restored has either. PostgreSQL's image runs this once, when it makes its data.
set -eu
psql -X -q -v ON_ERROR_STOP=1 --no-password --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat /run/secrets/database_password`
create role switchhook login password :'password';
create database switchhook owner switchhook;
SQL
