# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Sourced by the tests of the examples: a directory of their own in $tmp, failures that are
# counted and shown, servers that are ended on every way out.
set -u
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

# start_server COMMAND...: sets $pid and, from the line it prints, $port.
start_server() {
	: >"$tmp/server.out"
	"$@" >"$tmp/server.out" 2>"$tmp/server.err" &
	pid=$!
	pids="$pids $pid"
	for _ in $(seq 100); do
		port=$(sed -n 's/^port=//p' "$tmp/server.out")
		[ -n "$port" ] && return
		sleep 0.1
	done
	echo "FAIL: it does not start: $*"
	cat "$tmp/server.err"
	exit 1
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

# files_are COUNT: waits a little for the server to have so many open.
files_are() {
	for _ in $(seq 50); do
		[ "$(open_files)" = "$1" ] && return
		sleep 0.1
	done
	fail "$(open_files) descriptors are open instead of $1"
	ls -l "/proc/$pid/fd"
}
