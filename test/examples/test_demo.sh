#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_demo.sh DEMO HTTPD CP HELLO
. "$(dirname "$0")/lib.sh"
demo=$1
httpd=$2
cp=$3

need_ring "$4"
mkdir "$tmp/demo"
export TMPDIR="$tmp/demo"

exits_with 0 "$demo" --help
check --help prints the usage -- grep -q '^Usage: eio-demo' "$tmp/stdout"
exits_with 2 "$demo"
exits_with 2 "$demo" --httpd "$httpd"

nothing_left() {
	check "nothing is left $*" -- [ -z "$(ls -A "$TMPDIR")" ]
	check "no httpd is left $*" -- [ -z "$(pgrep -f "$TMPDIR/eio-demo")" ]
}

exits_with 0 "$demo" --httpd "$httpd" --cp "$cp"
cat "$tmp/stdout"
check it verified everything -- grep -q 'Every byte was verified' "$tmp/stdout"
nothing_left after success

exits_with 1 "$demo" --httpd "$tmp/missing" --cp "$cp"
check what is missing is named -- grep -q "$tmp/missing" "$tmp/stderr"
nothing_left without httpd
exits_with 1 "$demo" --httpd /bin/true --cp "$cp"
nothing_left after a useless httpd
exits_with 1 "$demo" --httpd "$httpd" --cp /bin/true
check a copy that was not made is a failure -- grep -q 'copy.bin' "$tmp/stderr"
nothing_left after a useless cp
TMPDIR=$tmp/missing exits_with 1 "$demo" --httpd "$httpd" --cp "$cp"

for delay in 0.05 0.3 0.6 1 1.5; do
	"$demo" --httpd "$httpd" --cp "$cp" >"$tmp/stdout" 2>"$tmp/stderr" &
	pid=$!
	pids="$pids $pid"
	sleep $delay
	kill -INT $pid
	server_ended
	nothing_left "when interrupted after $delay seconds with status $status"
	[ $status = 0 ] || check it says so -- grep -q interrupted "$tmp/stderr"
done

finish
