#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A server's limits on time against clients that say nothing, or stop in the middle.
#
# Usage: test_limits.sh HTTPD HELLO
. "$(dirname "$0")/lib.sh"
httpd=$1

need_ring "$2"
needs python3
"$httpd" --help >"$tmp/help"
for option in --request-timeout --idle-timeout; do
	grep -q -e $option "$tmp/help" || skip "httpd has no $option"
done

# Sends what its arguments say, in pieces of one byte if it is slow, and prints what comes until
# the server closes.
cat >"$tmp/client.py" <<'END'
import socket, sys

s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10)
s.settimeout(30)
s.sendall(sys.argv[2].encode().decode('unicode_escape').encode())
while part := s.recv(4096):
    sys.stdout.buffer.write(part)
END

mkdir "$tmp/root"
echo hello >"$tmp/root/index.html"
start_server "$httpd" --port 0 --request-timeout 1 --idle-timeout 1 "$tmp/root"
files=$(open_files)

# Side by side, since each takes its time.
clients=
n=0
for sent in '' 'GET / HTTP/1.1\r\nHo' 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'; do
	n=$((n + 1))
	python3 "$tmp/client.py" "$port" "$sent" >"$tmp/answer$n" &
	clients="$clients $!"
done
for each in $clients; do
	check each connection is closed in time -- wait "$each"
done
check who says nothing gets nothing -- [ ! -s "$tmp/answer1" ]
check who stops in the middle is told so -- grep -q '^HTTP/1.1 408 ' "$tmp/answer2"
check who was answered -- grep -q '^HTTP/1.1 200 ' "$tmp/answer3"
check is told nothing more -- [ "$(grep -c '^HTTP/1.1' "$tmp/answer3")" = 1 ]
files_are "$files"
stop_server TERM

finish
