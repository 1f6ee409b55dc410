#!/bin/sh
# Writes the file of users from POSTGRES_PASSWORD, and starts PgBouncer.
set -eu
umask 077
printf '"billing" "%s"\n' "$POSTGRES_PASSWORD" > /tmp/pgbouncer_users.txt
exec pgbouncer "${1:-/etc/pgbouncer/pgbouncer.ini}"
