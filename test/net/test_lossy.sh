#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Transfers over a link that loses 5 % of the packets and delays the others are complete, to
# the byte, also while the server is being stopped.
#
# Usage: test_lossy.sh PROBE ECHO HTTPD HELLO
. "$(dirname "$0")/lib.sh"
probe=$(realpath "$1") || exit 1
echo=$(realpath "$2") || exit 1
httpd=$(realpath "$3") || exit 1
here=$(realpath "$(dirname "$0")") || exit 1

need_ring "$4"
needs ip ss curl socat python3
far_end
cd "$tmp" || exit 1 # since socat takes no name with a space or a comma in it

# The link.
python3 "$here/link.py" near0 far0 0.05 2 1 >"$tmp/link.out" 2>"$tmp/link.err" &
link=$!
pids="$pids $link"
await the link -- is_ready "$tmp/link.out" "$link"
grep -q ready "$tmp/link.out" || skip "no link: $(tail -n 1 "$tmp/link.err")"
ip link set far0 netns "$far"
ip addr add 10.9.0.1/24 dev near0
ip link set near0 up
$in_far ip addr add 10.9.0.2/24 dev far0
$in_far ip link set far0 up

$in_far sh -c 'echo 4096 16384 65536 >/proc/sys/net/ipv4/tcp_wmem'

# listens PORT: is there a server at the far end?
listens() {
	$in_far ss -H -l -t -n "sport = :$1" | grep -q .
}

# has_heeded: its handler is good for one SIGTERM.
has_heeded() {
	caught=0x$(sed -n 's/^SigCgt:\t.\{8\}//p' "/proc/$pid/status")
	[ $((caught >> 14 & 1)) = 0 ]
}

mkdir "$tmp/root"
head -c 1000003 /dev/urandom >"$tmp/root/large"
head -c 300003 /dev/urandom >"$tmp/root/middle"
head -c 50000 /dev/urandom >"$tmp/root/small"

# Files by httpd
# shellcheck disable=SC2086 # a command
start_server $in_far "$httpd" --addr 10.9.0.2 --port 0 "$tmp/root"
httpd_pid=$pid
http=10.9.0.2:$port
check curl gets a file -- curl -s -S --max-time 120 -o "$tmp/got" "http://$http/large"
check the file is the same -- cmp "$tmp/root/large" "$tmp/got"
getters=
for i in 1 2 3 4; do
	curl -s -S --max-time 120 -o "$tmp/got$i" "http://$http/small" -o "$tmp/again$i" "http://$http/small" &
	getters="$getters $!"
done
for each in $getters; do
	check several curls at once -- wait "$each"
done
for i in 1 2 3 4; do
	check the files are the same -- cmp "$tmp/root/small" "$tmp/got$i"
	check the files on the same connection too -- cmp "$tmp/root/small" "$tmp/again$i"
done

# Both ways by echo
# shellcheck disable=SC2086 # a command
start_server $in_far "$echo" 10.9.0.2:0
echo_pid=$pid
check socat goes through -- socat -t 60 - "TCP:10.9.0.2:$port" \
	<"$tmp/root/small" >"$tmp/got"
check what comes back is the same -- cmp "$tmp/root/small" "$tmp/got"

# Our own client, from and to sockets of another make.
$in_far socat -T 60 -u OPEN:root/large TCP-LISTEN:4001,reuseaddr &
pids="$pids $!"
await a server -- listens 4001
exits_with 0 timeout 120 "$probe" receive 10.9.0.2 4001 0
check our client receives the same -- cmp "$tmp/root/large" "$tmp/stdout"
$in_far socat -T 60 -u TCP-LISTEN:4002,reuseaddr CREATE:sent &
receiver=$!
pids="$pids $receiver"
await a server -- listens 4002
exits_with 0 timeout 120 "$probe" send 10.9.0.2 4002 0 <"$tmp/root/large"
wait $receiver
check our client sends the same -- cmp "$tmp/root/large" "$tmp/sent"

# A stop while a client is half way: it gets the rest. The server's socket takes a small part
# of the file, so it is the server that has to go on.
rm "$tmp/got"
mkfifo "$tmp/gate"
python3 "$here/../examples/http_half.py" 10.9.0.2 "${http#*:}" /middle "$tmp/got" "$tmp/gate" \
	>"$tmp/half" &
getter=$!
pids="$pids $getter"
pid=$httpd_pid
await the first bytes -- grep -qs 'half way' "$tmp/half"
kill -TERM "$pid"
await httpd to heed it -- has_heeded
: >"$tmp/gate"
server_ended
check "httpd ends with $status" -- [ $status = 0 ]
check it has nothing to complain about -- [ ! -s "$tmp/server.err" ]
check the client of a server that stops gets it all -- wait $getter
check the file is the same -- cmp "$tmp/root/middle" "$tmp/got"
pid=$echo_pid
stop_server TERM

# The link did what it is for.
kill -TERM $link
wait $link
lost=$(sed -n 's/.* lost=//p' "$tmp/link.out")
check "packets were lost: $lost" -- [ "${lost:-0}" -gt 20 ]

finish
