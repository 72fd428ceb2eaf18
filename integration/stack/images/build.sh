#!/bin/sh
# build.sh IMAGE...
#
# Builds stand-ins for the official images postgres:15, redis:7, odoo:19.0 and odoo:14.0 from Debian packages, tagged
# the same, for machines that reach a Debian mirror but no container registry. It needs root, docker and debootstrap.
#
#   MIRROR       the Debian mirror
#   LIBRARIES    Debian 12 packages that Odoo 19.0 runs on
#   ODOO14_ROOT  optional: a Debian 11 root that has Odoo 14.0 already
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export DOCKER_BUILDKIT=0

# base SUITE: an image of a minimal Debian.
base() {
	docker image inspect "debian:$1-slim" >/dev/null 2>&1 && return
	root=$(mktemp -d)
	trap 'rm -rf "$root"' EXIT
	# In a mount namespace of its own, because it leaves /proc mounted there where it is interrupted.
	unshare --mount debootstrap --variant=minbase "$1" "$root" "$MIRROR"
	# No daemon is to be started by the installation of its package, and nothing has to survive a power cut.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	rm -rf "$root/var/cache/apt/archives/"*.deb
	tar -C "$root" -c . | docker import - "debian:$1-slim"
	rm -rf "$root"
	trap - EXIT
}

# build IMAGE DOCKERFILE [OPTION...]: with the host's network, so that apt reaches its mirror.
build() {
	tag=$1
	file=$2
	shift 2
	docker build --network host --force-rm --build-arg http_proxy --build-arg https_proxy --tag "$tag" --file "$here/$file" "$@" "$here"
}

for image in "$@"; do
	case $image in
	postgres:15)
		base bookworm
		build "$image" postgres.Dockerfile
		;;
	redis:7)
		base bookworm
		build "$image" redis.Dockerfile
		;;
	odoo:19.0)
		base bookworm
		# How old a mirror's lists may be is for this machine to say.
		apt-config dump Acquire::Check-Valid-Until Acquire::Check-Date >"$here/machine.conf"
		build "$image" odoo19.Dockerfile --build-arg "MIRROR=$MIRROR" --build-arg "LIBRARIES=$LIBRARIES"
		;;
	odoo:14.0)
		if [ -n "${ODOO14_ROOT:-}" ]; then
			tar -C "$ODOO14_ROOT" --one-file-system -c . | docker import - lateral-odoo14-root
		else
			base bullseye
			docker tag debian:bullseye-slim lateral-odoo14-root
		fi
		build "$image" odoo14.Dockerfile
		docker rmi lateral-odoo14-root
		;;
	*)
		echo "build.sh: no recipe for $image" >&2
		exit 2
		;;
	esac
done
