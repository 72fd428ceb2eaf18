#!/bin/sh
# supervise.sh SIGNAL GRACE COMMAND [ARGUMENT...]
#
# Runs COMMAND in a session of its own and ends it, with everything it started, as soon as standard input reaches its
# end. The owner holds the other end of that pipe, so a stop that was asked for and an owner that was killed come to
# the same: first SIGNAL, and after GRACE seconds SIGKILL for the whole group. A parent-death signal would not do: it
# hangs on the thread that forked, and Go moves its goroutines between threads.
#
# Descriptor 3 is the owner's lock on the run directory. It stays open here until the command is gone, which tells
# other processes when the directory may be removed; the command itself does not get it.
signal=$1
grace=$2
shift 2

exec 4<&0 </dev/null
setsid "$@" 3>&- 4<&- &
child=$!

stop() {
	kill -s "$signal" "$child" 2>/dev/null
	left=$((grace * 10))
	while kill -s 0 -- "-$child" 2>/dev/null && [ "$left" -gt 0 ]; do
		sleep 0.1
		left=$((left - 1))
	done
	kill -s KILL -- "-$child" 2>/dev/null
}

(
	trap 'exit 0' TERM
	read -r _ <&4
	stop
) &
watcher=$!

trap 'stop' TERM INT HUP
exec 4<&-

wait "$child"
code=$?
# A trapped signal ends the first wait early; the second one then has the command's own answer.
if kill -s 0 "$child" 2>/dev/null; then
	wait "$child"
	code=$?
fi
# What the command left behind goes too, and its ports are free again before the owner hears of the end. The wait has
# a bound, because a dead process counts until whoever inherited it has taken notice.
kill -s KILL -- "-$child" 2>/dev/null
left=100
while kill -s 0 -- "-$child" 2>/dev/null && [ "$left" -gt 0 ]; do
	sleep 0.02
	left=$((left - 1))
done
kill -s TERM "$watcher" 2>/dev/null
exit "$code"
