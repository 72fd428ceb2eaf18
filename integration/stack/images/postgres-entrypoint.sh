#!/bin/sh
# Does what the official image's entrypoint does for the variables that lateral's stack sets: POSTGRES_USER,
# POSTGRES_PASSWORD, POSTGRES_INITDB_ARGS and PGDATA.
set -eu
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA" /var/run/postgresql
	find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres:postgres {} +
	chmod 700 "$PGDATA"
	exec setpriv --reuid postgres --regid postgres --init-groups /bin/sh "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	password=$(mktemp)
	printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
	# shellcheck disable=SC2086 # several arguments in one variable, as in the official image
	initdb --username="${POSTGRES_USER:-postgres}" --pwfile="$password" ${POSTGRES_INITDB_ARGS:-}
	rm -f "$password"
	printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
fi
exec "$@" -c listen_addresses='*'
