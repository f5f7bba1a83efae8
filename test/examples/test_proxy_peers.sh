#!/bin/sh
# SPDX-License-Identifier: ISC
#
# proxy between programs that others wrote: nginx as its upstream, socat on both sides.
#
# Usage: test_proxy_peers.sh PROXY HELLO
. "$(dirname "$0")/lib.sh"
proxy=$(realpath "$1") || exit 1
PATH=$PATH:/usr/sbin

need_ring "$2"
cd "$tmp" || exit 1 # as the path of a socket has to be short
for program in curl nginx socat; do
	command -v $program >/dev/null || {
		echo "no $program"
		exit 77
	}
done

# listens NAME: is there a server at the Unix socket of this name, which nobody else has?
listens() {
	grep -q " 00010000 .* $1\$" /proc/net/unix
}

# Web pages by way of the proxy, from nginx at a Unix socket.
mkdir "$tmp/root" "$tmp/nginx"
for size in 0 1 1000 70000 20000000; do
	head -c $size /dev/urandom >"$tmp/root/$size"
done
cat >"$tmp/nginx.conf" <<END
daemon off;
worker_processes 1;
$([ "$(id -u)" != 0 ] || echo 'user root;')
error_log stderr;
pid pid;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	sendfile on;
	server {
		listen unix:web.$$;
		root ../root;
	}
}
END
nginx -p nginx -e stderr -c "$tmp/nginx.conf" 2>"$tmp/nginx.err" &
nginx=$!
pids="$pids $nginx"
await nginx -- listens web.$$
start_server "$proxy" 0 unix:web.$$
files=$(open_files)
: >"$tmp/requests"
for i in $(seq 8); do
	for size in 0 1 1000 70000 20000000; do
		printf 'url = "http://127.0.0.1:%s/%s"\noutput = "%s/%s-%s"\n' "$port" $size "$tmp" $size "$i" \
			>>"$tmp/requests"
	done
done
check 40 parallel downloads from nginx -- curl -s -S --no-progress-meter --max-time 120 \
	--parallel --parallel-immediate --parallel-max 40 -K "$tmp/requests"
for i in $(seq 8); do
	for size in 0 1 1000 70000 20000000; do
		check "download $size-$i" -- cmp "$tmp/root/$size" "$tmp/$size-$i"
	done
done
# Clients that go in the middle of it are no failure.
for _ in 1 2 3; do
	curl -s --max-time 120 "http://127.0.0.1:$port/20000000" | head -c 100000 >/dev/null
done
files_are "$files"
stop_server TERM
kill -TERM $nginx
wait $nginx

# socat on both sides: the answer comes after the end of the question, in a direction that is
# still open then.
socat -t 60 UNIX-LISTEN:far.$$ 'SYSTEM:cat >heard; cat root/20000000' 2>socat.err &
far=$!
pids="$pids $far"
await socat -- listens far.$$
start_server "$proxy" --stats 0 unix:far.$$
check socat speaks by way of the proxy -- \
	eval "socat -t 60 - 'TCP:127.0.0.1:$port' <'$tmp/root/70000' >'$tmp/answer'"
check what it said -- cmp "$tmp/root/70000" "$tmp/heard"
check the answer after the end of the question -- cmp "$tmp/root/20000000" "$tmp/answer"
wait $far
stop_server TERM
check it was counted -- grep -q '^served=1 .* up=70000 down=20000000$' "$tmp/server.out"

finish
