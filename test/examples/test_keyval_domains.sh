#!/bin/sh
# SPDX-License-Identifier: ISC
#
# keyval in several domains: clients of all of them on the same keys, too many connections, the end.
#
# Usage: test_keyval_domains.sh KEYVAL HELLO
. "$(dirname "$0")/lib.sh"
keyval=$(realpath "$1") || exit 1
here=$(realpath "$(dirname "$0")") || exit 1
export PYTHONDONTWRITEBYTECODE=1

need_ring "$2"
exits_with 2 "$keyval" --domains x
check a bad number is named -- grep -q 'x: not a number' "$tmp/stderr"
exits_with 2 "$keyval" --domains 1025

# domains: how many threads serve beside the first.
domains() {
	cat "/proc/$pid"/task/*/comm | grep -c '^eio-server$'
}

for domains in 2 4; do
	start_server "$keyval" --port 0 --domains $domains
	[ "$(domains)" = $((domains - 1)) ] ||
		fail "$(domains) more domains with --domains $domains"
	for test in counters items pairs values spare; do
		check "$test in $domains domains" -- \
			timeout 300 python3 "$here/keyval_stress.py" "$port" $test
	done
	check "keys expire in $domains domains" -- \
		timeout 300 python3 "$here/raw_resp.py" "$port" expiry
	stop_server TERM
done

start_server "$keyval" --port 0 --domains 0
[ "$(domains)" = $(($(nproc) - 1)) ] || fail "$(domains) more domains for $(nproc) cores"
stop_server TERM

start_server "$keyval" --port 0 --domains 3 --max-memory 4M
check limited memory -- timeout 300 python3 "$here/raw_resp.py" "$port" limited
stop_server INT

# More connections than descriptors: those that are open are served, and the others in their turn.
cat >"$tmp/crowd.py" <<'END'
import socket, sys
port, served_at_once, count = map(int, sys.argv[1:])
def connect():
    s = socket.create_connection(('127.0.0.1', port), 60)
    s.sendall(b'INCR crowd\r\n')
    return s
crowd = [connect() for _ in range(count)]
answers = []
for s in crowd:
    s.settimeout(60)
    answers.append(int(s.recv(100)[1:]))
    # Room for another one, but some stay.
    if len(answers) > served_at_once:
        s.close()
assert sorted(answers) == list(range(1, count + 1)), answers
END
start_server sh -c 'ulimit -n 100; exec "$@"' sh "$keyval" --port 0 --domains 3
files=$(open_files)
check it goes on without descriptors -- timeout 300 python3 "$tmp/crowd.py" "$port" 20 300
files_are "$files"
stop_server TERM

# Connections that idle, in every domain, do not keep the server from stopping.
cat >"$tmp/idle.py" <<'END'
import socket, sys
idle = [socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60) for _ in range(40)]
for s in idle:
    s.settimeout(60)
    s.sendall(b'PING\r\n')
    assert s.recv(7) == b'+PONG\r\n'
print('idle', flush=True)
for s in idle:
    assert s.recv(1) == b'', 'more bytes'
END
start_server "$keyval" --port 0 --domains 3
python3 "$tmp/idle.py" "$port" >"$tmp/idle.out" &
idle=$!
pids="$pids $idle"
await the idle connections -- grep -q idle "$tmp/idle.out"
stop_server TERM
check idle connections are closed -- wait $idle

finish
