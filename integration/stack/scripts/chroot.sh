#!/bin/sh
# chroot.sh ROOT RUNDIR UID GID COMMAND [ARGUMENT...]
#
# Runs COMMAND inside the Debian root ROOT, where RUNDIR is seen as /lateral. It is called in a mount namespace of its
# own (unshare --mount), so the mounts are seen by nobody else and are gone with the last process in it.
root=$1
run=$2
uid=$3
gid=$4
shift 4

set -e
mount --bind "$run" "$root/lateral"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec="$uid:$gid" "$root" /usr/bin/env HOME=/tmp LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
