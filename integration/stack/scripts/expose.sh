#!/bin/sh
# expose.sh CLOSED CACHE COMMAND [ARGUMENT...]
#
# Lets another user than root reach CACHE although a folder on the way to it, CLOSED, may be entered by root alone: in
# this mount namespace (unshare --mount), and for nobody else, CLOSED is replaced by a folder that holds nothing but the
# way to CACHE. All paths stay as they are.
closed=$1
cache=$2
shift 2

set -e
cd "$cache"
mount -t tmpfs -o mode=755,size=1m tmpfs "$closed"
mkdir -p "$cache"
mount --no-canonicalize --bind . "$cache"
cd "$cache"
exec "$@"
