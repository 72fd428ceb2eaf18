#!/bin/sh
# dockerd.sh USERS DATA
#
# Runs a Docker engine that keeps its images in DATA, for as long as somebody uses it. Every stack that does holds a
# shared lock on the file USERS; the exclusive lock can be had once the last of them has closed or has been killed, and
# is kept until the engine is gone, so that the next one waits for that.
users=$1
data=$2

exec 9>>"$users"
dockerd --data-root "$data" </dev/null 9>&- &
engine=$!
trap 'kill "$engine"' TERM INT
flock --exclusive 9
kill "$engine"
wait "$engine"
