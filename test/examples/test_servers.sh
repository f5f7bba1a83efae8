#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Servers of several domains that run out of descriptors, and that are stopped under load.
#
# Usage: test_servers.sh ECHO HTTPD PROXY HELLO
. "$(dirname "$0")/lib.sh"
echo=$1
httpd=$2
proxy=$3
export PYTHONDONTWRITEBYTECODE=1

need_ring "$4"
mkdir "$tmp/root"
head -c 20000 /dev/zero | tr '\0' x >"$tmp/root/file"

# behaves KIND: as servers.py wants it, which stops it in the end.
behaves() {
	python3 "$(dirname "$0")/servers.py" "$1" "$port" "$pid" || {
		fail "$1"
		kill -KILL "$pid"
	}
	server_ended
	[ $status = 0 ] || fail "$1: status $status"
}

# says_nothing KIND: it did not complain.
says_nothing() {
	[ ! -s "$tmp/server.err" ] || {
		fail "$1 complained"
		cat "$tmp/server.err"
	}
}

start_server "$echo" --domains 3 0
behaves echo
says_nothing echo

start_server "$httpd" --domains 3 --port 0 "$tmp/root"
behaves httpd
says_nothing httpd

start_server "$httpd" --port 0 "$tmp/root"
behind=$pid
start_server "$proxy" --domains 3 --stats 0 "$port"
behaves proxy
sed -i '/: Too many open files$/d' "$tmp/server.err" # with no descriptor for the other side
says_nothing proxy
pid=$behind
stop_server TERM

finish
