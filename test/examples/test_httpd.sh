#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Drives httpd with curl: what it serves and what not, many connections, and how it stops.
#
# Usage: test_httpd.sh HTTPD HELLO
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/httpd.sh"

# The files. What is in secret must never come out.
root=$tmp/root
mkdir "$root" "$root/sub" "$root/no-index" "$root/with-index" "$root/we ird\\\"dir" \
	"$root/strange" "$root/strange/index.html" "$tmp/outside"
echo 'TOP SECRET' >"$tmp/secret"
echo 'TOP SECRET' >"$tmp/outside/secret"
echo '<p>root index</p>' >"$root/index.html"
echo '<p>sub index</p>' >"$root/with-index/index.html"
echo small >"$root/small.txt"
echo in-sub >"$root/sub/file.css"
echo spaced >"$root/a space+plus.txt"
echo umlaut >"$root/ä.txt"
: >"$root/empty"
head -c 16384 /dev/urandom >"$root/just-small"
head -c 16385 /dev/urandom >"$root/just-large"
head -c 2000003 /dev/urandom >"$root/medium"
head -c 33554433 /dev/urandom >"$root/large"
mkfifo "$root/fifo"
ln -s small.txt "$root/link-inside"
ln -s ../small.txt "$root/sub/link-up-inside"
ln -s ../secret "$root/link-out"
ln -s "$tmp/secret" "$root/link-absolute"
ln -s ../outside "$root/directory-out"
ln -s / "$root/link-root"
ln -s /proc/self/root "$root/link-magic"
ln -s loop "$root/loop"

exits_with 0 "$httpd" --help
check --help prints the usage -- grep -q '^Usage: httpd' "$tmp/stdout"
exits_with 2 "$httpd"
exits_with 2 "$httpd" a b
exits_with 2 "$httpd" --nonsense "$root"
exits_with 2 "$httpd" --port 65536 "$root"
exits_with 2 "$httpd" --port x "$root"
exits_with 2 "$httpd" --addr localhost "$root"
for option in --max-connections --idle-timeout --request-timeout; do
	for number in -1 x '' 1x 99999999999999999999; do
		exits_with 2 "$httpd" $option "$number" "$root"
		check "a bad number for $option is named" -- \
			grep -q -e "httpd: $option $number: not a number" "$tmp/stderr"
	done
done
exits_with 1 "$httpd" --port 0 --access-log missing/log root
check a log that cannot be opened is named -- grep -q missing/log "$tmp/stderr"
exits_with 1 "$httpd" --port 0 missing
check a missing directory is named -- grep -q missing "$tmp/stderr"
exits_with 1 "$httpd" --port 0 root/small.txt
check a file is no directory -- grep -q 'Not a directory' "$tmp/stderr"

start_server "$httpd" --port 0 "$root"
url=http://127.0.0.1:$port
files=$(open_files)
exits_with 1 "$httpd" --port "$port" "$root"
check a taken port is named -- grep -q "127.0.0.1:$port" "$tmp/stderr"

serves small.txt /small.txt
header_is Content-Type 'text/plain; charset=utf-8'
header_is Date '[A-Z][a-z][a-z], .* GMT'
header_is Last-Modified "$(LC_ALL=C date -u -r "$root/small.txt" '+%a, %d %b %Y %T GMT')"
header_is ETag '"[0-9a-f-]*"'
header_is Accept-Ranges bytes
serves index.html /
header_is Content-Type 'text/html; charset=utf-8'
serves with-index/index.html /with-index/
serves with-index/index.html '/with-index/?query'
status_is 301 "$url/with-index"
header_is Location /with-index/
status_is 301 "$url/with-index?a=b&c"
header_is Location '/with-index/?a=b&c'
status_is 301 "$url//with-index"
header_is Location /with-index/
status_is 301 "$url/we%20ird%5C%22dir"
header_is Location /we%20ird%5C%22dir/
serves sub/file.css /sub/file.css
header_is Content-Type 'text/css; charset=utf-8'
serves 'a space+plus.txt' /a%20space+plus.txt
serves ä.txt /%C3%a4.txt
serves small.txt '/small.txt?query=1&x=../secret'
serves small.txt /small%2etxt
serves small.txt //small.txt
serves small.txt /./small.txt
serves small.txt /sub/../small.txt
serves sub/file.css /sub%2Ffile.css
serves link-inside /link-inside
serves small.txt /sub/link-up-inside
serves empty /empty
header_is Content-Type application/octet-stream
for file in just-small just-large medium large; do
	serves $file /$file
done

# With -I curl writes the head where the content goes.
status_is 200 -I "$url/large"
header_is Content-Length 33554433
check HEAD has no content -- cmp "$tmp/head" "$tmp/body"
status_is 404 -I "$url/missing"
check HEAD has no content with a failure either -- cmp "$tmp/head" "$tmp/body"

status_is 404 "$url/missing"
status_is 404 "$url/missing/"
status_is 404 "$url/small.txt/"
status_is 404 "$url/small.txt/x"
status_is 404 "$url/$(printf '%0300d' 0)"
status_is 404 "$url/$(printf '%05000d' 0)"
status_is 301 "$url/no-index"
status_is 403 "$url/no-index/"
status_is 403 "$url/strange/"
status_is 403 "$url/fifo"
status_is 403 "$url/loop"
status_is 400 "$url/%00"
status_is 400 "$url/small.txt%00.html"
status_is 400 "$url/%"
status_is 400 "$url/%4"
status_is 400 "$url/%zz"
status_is 405 -X DELETE "$url/small.txt"
header_is Allow 'GET, HEAD, OPTIONS'
status_is 405 -d some=data "$url/small.txt"
status_is 501 -X BREW "$url/small.txt"
status_is 204 -X OPTIONS --request-target '*' "$url"
header_is Allow 'GET, HEAD, OPTIONS'
status_is 204 -X OPTIONS "$url/small.txt"
status_is 431 -H "X: $(printf '%017000d' 0)" "$url/small.txt"
status_is 414 "$url/$(printf '%09000d' 0)"
status_is 200 -H "X: $(printf '%015000d' 0)" "$url/small.txt"
if [ "$(id -u)" != 0 ]; then
	: >"$root/locked"
	chmod 0 "$root/locked"
	status_is 403 "$url/locked"
fi

# Nothing beyond the directory, however it is asked for.
where=$(python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1]))' "$tmp")
for path in /../secret /../../etc/passwd /sub/../../secret /./../secret /../root/../secret \
	/%2e%2e/secret /%2e%2e%2fsecret /..%2fsecret /.%2e/secret /%2E./secret \
	/sub/%2e%2e/%2e%2e/secret /%2fetc/passwd //etc/passwd ///etc/passwd /etc/passwd \
	"$where/secret" "/$where/secret" "/%2f$where/secret" '/..\secret' '/..%5csecret' \
	/%252e%252e/secret /..%c0%afsecret /.../secret /..%00/secret /link-out /link-absolute \
	/directory-out/secret /directory-out /link-root/etc/passwd "/link-root$where/secret" \
	"/link-magic$where/secret" /link-magic /sub/../link-out; do
	: >"$tmp/body"
	got=$(fetch "$url$path")
	case $got in
	400 | 403 | 404) ;;
	*) fail "$got for $path" ;;
	esac
	check "nothing of the secret for $path" -- [ -z "$(grep -E 'SECRET|root:' "$tmp/body")" ]
done
for path in /../secret /link-out /directory-out/secret; do
	status_is 403 "$url$path"
done
status_is 403 --request-target "http://host/../secret" "$url"

# Connections are kept, and closed when they have to be.
connects=$(curl -s --max-time 120 -o /dev/null -o /dev/null -o /dev/null -o /dev/null \
	-w '%{num_connects}' "$url/small.txt" "$url/missing" "$url/just-large" "$url/small.txt")
[ "$connects" = 1000 ] || fail "one connection does not serve four requests: $connects"
connects=$(curl -s --http1.0 --max-time 120 -o /dev/null -o /dev/null -H 'Connection: keep-alive' \
	-w '%{num_connects}' "$url/small.txt" "$url/small.txt")
[ "$connects" = 10 ] || fail "HTTP/1.0 can keep a connection: $connects"
status_is 200 --http1.0 "$url/small.txt"
header_is Connection close
status_is 200 -H 'Connection: close' "$url/large"
header_is Connection close
check content before a close -- cmp "$root/large" "$tmp/body"
host='Host: x\r\n'
close='Connection: close\r\n'

# Pipelining: the answers come in order, whatever their size, and nothing after a close.
: >"$tmp/requests"
: >"$tmp/expected"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	for file in small.txt just-small empty sub/file.css just-large index.html medium small.txt; do
		printf 'GET /%s HTTP/1.1\r\n%b\r\n' $file "$host" >>"$tmp/requests"
		cat "$root/$file" >>"$tmp/expected"
	done
	printf 'HEAD /medium HTTP/1.1\r\n%b\r\n' "$host" >>"$tmp/requests"
done
printf 'GET /small.txt HTTP/1.1\r\n%b%b\r\n' "$host" "$close" >>"$tmp/requests"
printf 'GET /small.txt HTTP/1.1\r\n%b\r\n' "$host" >>"$tmp/requests"
cat "$root/small.txt" >>"$tmp/expected"
cat >"$tmp/contents.py" <<'END'
import sys
from http_client import answers
found = answers(sys.stdin.buffer.read(), heads=range(8, 90, 9))
assert len(found) == 91, len(found)
for answer in found:
    assert answer.status == 200, answer.status
    sys.stdout.buffer.write(answer.content)
END
for way in '' slowly; do
	check "pipelined requests $way" -- \
		eval "python3 '$raw_http' $port $way <'$tmp/requests' >'$tmp/answers'"
	check "pipelined answers $way" -- \
		eval "PYTHONPATH='$here' python3 '$tmp/contents.py' <'$tmp/answers' >'$tmp/contents'"
	check "content of pipelined answers $way" -- cmp "$tmp/expected" "$tmp/contents"
done

# Many at once.
for i in $(seq 50); do
	printf 'url = "%s/medium"\noutput = "%s/parallel-%d"\n' "$url" "$tmp" "$i"
done >"$tmp/parallel"
check 50 parallel downloads -- curl -s -S --no-progress-meter --max-time 120 --parallel \
	--parallel-immediate --parallel-max 50 -K "$tmp/parallel"
for i in $(seq 50); do
	check "parallel download $i" -- cmp "$root/medium" "$tmp/parallel-$i"
done
rm -f "$tmp"/parallel-*

# Clients that go in the middle of it are no failure.
for _ in 1 2 3 4 5; do
	curl -s --max-time 120 "$url/large" | head -c 100000 >/dev/null
done
files_are "$files"

# A graceful stop: idle connections close at once, a download goes on to its end.
cat >"$tmp/idle.py" <<'END'
import socket, sys, time
fresh = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60)
used = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60)
for s in fresh, used:
    s.settimeout(60)
used.sendall(b'HEAD / HTTP/1.1\r\nHost: x\r\n\r\n')
assert used.recv(1000)
print('idle', flush=True)
for s in fresh, used:
    assert s.recv(1) == b'', 'more bytes'
print('closed', flush=True)
END
python3 "$tmp/idle.py" "$port" >"$tmp/idle.out" &
idle=$!
pids="$pids $idle"
mkfifo "$tmp/gate"
python3 "$here/http_half.py" 127.0.0.1 "$port" /large "$tmp/half" "$tmp/gate" \
	>"$tmp/half.out" &
download=$!
pids="$pids $download"
await idle connections -- grep -qs idle "$tmp/idle.out"
await a download -- grep -qs 'half way' "$tmp/half.out"
kill -TERM "$pid"
check idle connections end well -- wait $idle
: >"$tmp/gate"
check a download outlives the signal -- wait $download
check and is whole -- cmp "$root/large" "$tmp/half"
server_ended
check "a graceful stop ends with $status" -- [ $status = 0 ]
check the server has nothing to complain about -- [ ! -s "$tmp/server.err" ]
cat "$tmp/server.err"

# A limit on connections makes clients wait, not fail. SIGINT stops as SIGTERM does.
start_server "$httpd" --port 0 --max-connections 2 "$root"
url=http://127.0.0.1:$port
waiting=
for _ in $(seq 10); do
	curl -s -S --max-time 120 -o /dev/null "$url/medium" &
	waiting="$waiting $!"
done
for each in $waiting; do
	check a client that had to wait is served -- wait "$each"
done
stop_server INT

if has_ipv6; then
	start_server "$httpd" --addr ::1 --port 0 "$root"
	status_is 200 -g "http://[::1]:$port/small.txt"
	stop_server TERM
fi

finish
