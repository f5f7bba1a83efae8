# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Sourced by the tests of the examples: a directory of their own in $tmp, failures that are
# counted and shown, servers that are ended on every way out.
set -u
# What the tests say of modes and of messages, and what another user may read, begins with these.
umask 022
export LC_ALL=C
tmp=$(mktemp -d) || exit 1
pids=
failures=0

clean_up() {
	for each in $pids; do
		kill -KILL "$each" 2>/dev/null
	done
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# fail WORDS...: notes what went wrong and goes on.
fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# check WORDS... -- COMMAND...: the command has to succeed.
check() {
	words=
	while [ "$1" != -- ]; do
		words="$words $1"
		shift
	done
	shift
	"$@" || fail "${words# }"
}

# await WORDS... -- COMMAND...: until the command succeeds. A slow machine may take its time, so
# that a minute is not enough only for what never comes.
await() {
	words=
	while [ "$1" != -- ]; do
		words="$words $1"
		shift
	done
	shift
	for _ in $(seq 1200); do
		"$@" && return
		sleep 0.05
	done
	fail "in vain:$words"
	return 1
}

# is_ready FILE PID: the program has said so, or it is gone.
is_ready() {
	grep -qs ready "$1" || ! kill -0 "$2" 2>/dev/null
}

# exits_with STATUS COMMAND...: its output is left in $tmp/stdout and $tmp/stderr.
exits_with() {
	wanted=$1
	shift
	"$@" >"$tmp/stdout" 2>"$tmp/stderr"
	status=$?
	[ $status = "$wanted" ] || {
		fail "status $status instead of $wanted: $*"
		cat "$tmp/stderr"
	}
}

finish() {
	[ $failures = 0 ] && exit 0
	echo "$failures failed"
	exit 1
}

# need_ring HELLO: skips the test where io_uring cannot be had.
need_ring() {
	"$1" >"$tmp/stdout" 2>"$tmp/stderr" && return
	cat "$tmp/stderr"
	grep -q io_uring "$tmp/stderr" && exit 77
	exit 1
}

# has_ipv6: not every machine has a loopback for it.
has_ipv6() {
	grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null
}

# start_server COMMAND...: sets $pid and, from the line it prints, $port. Others that go on keep
# on writing to the same files, at their ends.
start_server() {
	: >"$tmp/server.out"
	: >"$tmp/server.err"
	"$@" >>"$tmp/server.out" 2>>"$tmp/server.err" &
	pid=$!
	pids="$pids $pid"
	await "the port of $1" -- port_is_told
	[ -n "$port" ] && return
	echo "FAIL: it does not start: $*"
	cat "$tmp/server.err"
	exit 1
}

# port_is_told: or never will be.
port_is_told() {
	port=$(sed -n 's/^port=//p' "$tmp/server.out")
	[ -n "$port" ] || ! kill -0 "$pid" 2>/dev/null
}

# server_ended: waits for it and sets $status.
server_ended() {
	wait "$pid"
	status=$?
	remaining=
	for each in $pids; do
		[ "$each" = "$pid" ] || remaining="$remaining $each"
	done
	pids=$remaining
}

# stop_server SIGNAL: it has to end well.
stop_server() {
	kill -s "$1" "$pid"
	server_ended
	[ $status = 0 ] || fail "status $status after SIG$1"
	[ ! -s "$tmp/server.err" ] || {
		fail 'the server complained'
		cat "$tmp/server.err"
	}
}

# open_files: how many descriptors the server has.
open_files() {
	find "/proc/$pid/fd" -mindepth 1 | wc -l
}

# files_are COUNT: waits for the server to have so many open.
files_are() {
	await "$1 descriptors" -- has_files "$1" || ls -l "/proc/$pid/fd"
}

has_files() {
	[ "$(open_files)" = "$1" ]
}
