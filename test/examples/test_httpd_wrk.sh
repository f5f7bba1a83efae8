#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Lets wrk load httpd for a while: no request may fail, nothing may be left over.
#
# Usage: test_httpd_wrk.sh HTTPD HELLO [SECONDS]
. "$(dirname "$0")/lib.sh"
httpd=$1
seconds=${3-10}

need_ring "$2"
command -v wrk >/dev/null || {
	echo 'no wrk'
	exit 77
}

mkdir "$tmp/root"
head -c 1024 /dev/urandom >"$tmp/root/small"
head -c 1000000 /dev/urandom >"$tmp/root/large"

start_server "$httpd" --port 0 "$tmp/root"
files=$(open_files)

# load CONNECTIONS WRK-ARGUMENT...
load() {
	connections=$1
	shift
	wrk --timeout 60 -t 1 -c "$connections" -d "${seconds}s" "$@" >"$tmp/wrk" || fail "wrk: status $?"
	cat "$tmp/wrk"
	check "$* is served without failures" -- \
		[ -z "$(grep -E 'Non-2xx|Socket errors' "$tmp/wrk")" ]
	check "$* is served at all" -- [ -z "$(grep -E '^ +0 requests' "$tmp/wrk")" ]
	files_are "$files"
}

url=http://127.0.0.1:$port
load 1 "$url/small"
load 50 "$url/small"
load 500 "$url/small"
load 50 -H 'Connection: close' "$url/small"
load 50 "$url/large"
stop_server TERM

finish
