#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The time limits of httpd, and its access log.
#
# Usage: test_httpd_limits.sh HTTPD HELLO
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/httpd.sh"

root=$tmp/root
mkdir "$root"
echo small >"$root/small.txt"
head -c 100000 /dev/urandom >"$root/large"

# keeps LIMIT DOMAINS CASE...: all at once, since each takes as long as the limit in seconds.
# Between requests there is none for the case "anew".
keeps() {
	limit=$1
	domains=$2
	shift 2
	idle=$limit
	[ "$1" != anew ] || idle=0
	start_server "$httpd" --port 0 --domains "$domains" --idle-timeout "$idle" \
		--request-timeout "$limit" "$root"
	files=$(open_files)
	waiting=
	for case; do
		python3 "$here/http_limits.py" "$port" "$limit" "$case" &
		waiting="$waiting $!"
	done
	bad=0
	for each in $waiting; do
		wait "$each" || bad=1
	done
	files_are "$files"
	stop_server TERM
	return $bad
}

# keeps_any DOMAINS CASE...: who is too slow for a short limit, client or server, gets a longer one.
keeps_any() {
	for limit in 1 5 30; do
		keeps $limit "$@" && return
	done
	fail "no limit on time holds: $*"
}
keeps_any 1 silent idle 'empty lines' head 'second head' body continue drip
keeps_any 1 anew
# Each domain looks after its own.
keeps_any 3 silent idle silent idle silent idle

# The log is whole when the server has ended; what clients say cannot forge it.
start_server "$httpd" --port 0 --access-log "$tmp/log" "$root"
url=http://127.0.0.1:$port
status_is 200 -A agent -e 'http://from/?"\x' "$url/small.txt?query"
status_is 206 -r 5- -A '' "$url/large"
status_is 200 -I -A agent "$url/large"
status_is 404 -A "$(printf 'a\tb\303\244')" "$url/missing"
status_is 304 -A agent -H 'If-None-Match: *' "$url/small.txt"
status_is 414 -A agent "$url/$(printf '%09000d' 0)"
status_is 405 -A agent -d x "$url/$(printf '%03000d' 0)"
for _ in $(seq 200); do
	echo "url = \"$url/small.txt\""
	echo 'output = /dev/null'
done >"$tmp/many"
check 200 parallel requests -- curl -s -S --no-progress-meter --max-time 120 --parallel \
	--parallel-max 50 -A many -K "$tmp/many"
stop_server TERM
cat >"$tmp/expected" <<'END'
127.0.0.1 - - [] "GET /small.txt?query HTTP/1.1" 200 6 "http://from/?\x22\x5Cx" "agent"
127.0.0.1 - - [] "GET /large HTTP/1.1" 206 99995 "-" "-"
127.0.0.1 - - [] "HEAD /large HTTP/1.1" 200 0 "-" "agent"
127.0.0.1 - - [] "GET /missing HTTP/1.1" 404 10 "-" "a\x09b\xC3\xA4"
127.0.0.1 - - [] "GET /small.txt HTTP/1.1" 304 0 "-" "agent"
127.0.0.1 - - [] "-" 414 13 "-" "-"
END
printf '127.0.0.1 - - [] "POST /%02035d" 405 19 "-" "agent"\n' 0 >>"$tmp/expected"
when='[0-9][0-9]/[A-Z][a-z][a-z]/[0-9]\{4\}:[0-9][0-9]:[0-9][0-9]:[0-9][0-9] +0000'
sed "s,\[$when\],[]," "$tmp/log" | head -n 7 >"$tmp/logged"
check each request is logged -- diff "$tmp/expected" "$tmp/logged"
[ "$(wc -l <"$tmp/log")" = 207 ] || fail "$(wc -l <"$tmp/log") lines instead of 207"
[ "$(grep -c '"GET /small.txt HTTP/1.1" 200 6 "-" "many"$' "$tmp/log")" = 200 ] ||
	fail 'entries of parallel requests are not whole'

# The logs of several domains are one file.
start_server "$httpd" --port 0 --domains 3 --max-connections 150 --access-log "$tmp/log3" "$root"
sed "s,http://[^/]*,http://127.0.0.1:$port," "$tmp/many" >"$tmp/many3"
check 200 parallel requests to 3 domains -- curl -s -S --no-progress-meter --max-time 120 \
	--parallel --parallel-max 50 -A many -K "$tmp/many3"
stop_server TERM
[ "$(grep -c '"GET /small.txt HTTP/1.1" 200 6 "-" "many"$' "$tmp/log3")" = 200 ] ||
	fail 'entries of several domains are not whole'
[ "$(wc -l <"$tmp/log3")" = 200 ] || fail "$(wc -l <"$tmp/log3") lines instead of 200"

mkfifo "$tmp/fifo"
start_server "$httpd" --port 0 --access-log "$tmp/fifo" "$root"
check what gathered is written at the end -- \
	python3 "$here/http_log.py" "$port" "$pid" "$tmp/fifo"
server_ended
check "a server with a slow log ends with $status" -- [ $status = 0 ]

# A log that is there is gone on with. One that cannot be written is complained of, once.
start_server "$httpd" --port 0 --access-log "$tmp/log" "$root"
status_is 200 "http://127.0.0.1:$port/small.txt"
stop_server TERM
[ "$(wc -l <"$tmp/log")" = 208 ] || fail 'the log was not gone on with'
if has_ipv6; then
	start_server "$httpd" --addr ::1 --port 0 --access-log "$tmp/log" "$root"
	status_is 200 -g "http://[::1]:$port/small.txt"
	stop_server TERM
	check IPv6 is logged -- grep -q '^\[::1\] - - ' "$tmp/log"
fi
start_server "$httpd" --port 0 --access-log /dev/full "$root"
status_is 200 "http://127.0.0.1:$port/small.txt"
status_is 200 "http://127.0.0.1:$port/small.txt"
kill -TERM "$pid"
server_ended
check a full log ends nothing -- [ $status = 0 ]
check it is complained of once -- [ "$(grep -c '/dev/full' "$tmp/server.err")" = 1 ]
check and of nothing else -- [ "$(wc -l <"$tmp/server.err")" = 1 ]

# A disk that is full, and after some room was made full again, is complained of twice.
# shellcheck disable=SC2016 # it is another shell's
start_server sh -c 'trap "" XFSZ; ulimit -f 1; exec "$@"' sh \
	"$httpd" --port 0 --access-log short root
for full in 1 2; do
	for _ in $(seq 50); do
		[ "$(grep -c short "$tmp/server.err")" = $full ] && break
		status_is 200 "http://127.0.0.1:$port/small.txt"
	done
	check "full for time $full" -- [ "$(wc -l <"$tmp/server.err")" = $full ]
	: >short
done
kill -TERM "$pid"
server_ended
check a disk that was full ends nothing -- [ $status = 0 ]

finish
