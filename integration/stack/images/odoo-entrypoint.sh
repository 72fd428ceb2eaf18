#!/bin/sh
# Does what the official image's entrypoint does: HOST, PORT, USER and PASSWORD say where the database is, a command
# that is not Odoo's is run as it is.
set -eu
case ${1:-} in
odoo)
	shift
	;;
-*) ;;
*)
	exec "$@"
	;;
esac
if [ "${1:-}" = scaffold ] || [ "${1:-}" = shell ]; then
	exec odoo "$@"
fi
exec odoo "$@" --db_host "${HOST:-db}" --db_port "${PORT:-5432}" --db_user "${USER:-odoo}" --db_password "${PASSWORD:-odoo}"
