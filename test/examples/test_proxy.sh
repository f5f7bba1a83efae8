#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Drives proxy from both ends, and with curl before httpd.
#
# Usage: test_proxy.sh PROXY HTTPD HELLO
. "$(dirname "$0")/lib.sh"
proxy=$(realpath "$1") || exit 1
httpd=$(realpath "$2") || exit 1
ends=$(realpath "$(dirname "$0")/proxy_ends.py") || exit 1
export PYTHONDONTWRITEBYTECODE=1

need_ring "$3"
cd "$tmp" || exit 1 # as the path of a socket has to be short
command -v curl >/dev/null || {
	echo 'no curl'
	exit 77
}

exits_with 0 "$proxy" --help
check --help prints the usage -- grep -q '^Usage: proxy' "$tmp/stdout"
exits_with 2 "$proxy"
exits_with 2 "$proxy" 0
exits_with 2 "$proxy" 0 1 2
exits_with 2 "$proxy" --nonsense 0 1
exits_with 2 "$proxy" 0 127.0.0.1
exits_with 2 "$proxy" 70000 1
for wrong in 1.2.3.4:70000 localhost localhost: :80 unix: '[::1]'; do
	exits_with 2 "$proxy" 0 "$wrong"
done
for wrong in '--idle-timeout x' '--connect-timeout -1' '--drain-timeout 1s' '--idle-timeout nan' \
	'--max-connections x' '--domains x' '--domains 1025'; do
	# shellcheck disable=SC2086 # an option and its value
	exits_with 2 "$proxy" $wrong 0 1
	check "a complaint about $wrong" -- grep -q -e "$wrong: not a number" "$tmp/stderr"
done
exits_with 1 "$proxy" 192.0.2.1:0 1
check a failure names the address -- grep -q 192.0.2.1 "$tmp/stderr"

python3 "$ends" "$proxy" || fail 'what arrives, and how it ends'

# Files by way of the proxy are what they are.
mkdir "$tmp/root"
for size in 0 1 1000 70000 5000000; do
	head -c $size /dev/urandom >"$tmp/root/$size"
done
start_server "$httpd" --port 0 "$tmp/root"
upstream=$port
behind=$pid
start_server "$proxy" 0 "localhost:$upstream"
check an upstream by its name -- curl -s -S --max-time 120 -o "$tmp/by-name" \
	"http://127.0.0.1:$port/70000"
check what came by it -- cmp "$tmp/root/70000" "$tmp/by-name"
stop_server TERM
start_server "$proxy" 0 "$upstream"
files=$(open_files)
exits_with 1 "$proxy" "$port" "$upstream"
check a taken port is named -- grep -q "127.0.0.1:$port" "$tmp/stderr"
: >"$tmp/requests"
for i in $(seq 10); do
	for size in 0 1 1000 70000 5000000; do
		printf 'url = "http://127.0.0.1:%s/%s"\noutput = "%s/%s-%s"\n' "$port" $size "$tmp" $size "$i" \
			>>"$tmp/requests"
	done
done
check 50 parallel downloads -- curl -s -S --no-progress-meter --max-time 120 --parallel \
	--parallel-immediate --parallel-max 50 -K "$tmp/requests"
check one connection for several requests -- curl -s -S --no-progress-meter --max-time 120 \
	-K "$tmp/requests"
for i in $(seq 10); do
	for size in 0 1 1000 70000 5000000; do
		check "download $size-$i" -- cmp "$tmp/root/$size" "$tmp/$size-$i"
	done
done
files_are "$files"
stop_server TERM
pid=$behind
stop_server TERM

# Unix sockets on both sides, whose files go when they end.
start_server "$httpd" --port 0 "$tmp/root"
upstream=$port
behind=$pid
start_server "$proxy" unix:near "$upstream"
inner=$pid
start_server "$proxy" 0 unix:near
check a chain of two -- curl -s -S --max-time 120 -o "$tmp/body" "http://127.0.0.1:$port/5000000"
check its content -- cmp "$tmp/root/5000000" "$tmp/body"
stop_server INT
pid=$inner
stop_server TERM
pid=$behind
stop_server TERM
check the socket is removed -- [ ! -e near ]

# What several domains count is exact.
start_server "$httpd" --port 0 "$tmp/root"
behind=$pid
start_server "$proxy" --domains 3 --stats 0 "$port"
for _ in $(seq 40); do
	check a download -- curl -s -S --max-time 120 -o "$tmp/body" "http://127.0.0.1:$port/1000"
done
stop_server TERM
check all are counted -- grep -q '^served=40 unreachable=0 idle=0 failed=0 ' "$tmp/server.out"
pid=$behind
stop_server TERM

finish
