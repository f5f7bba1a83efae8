#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Connections that the peer resets in the middle of a transfer: reads, and copies by every way
# there is to and from a socket, say ECONNRESET. Only sendfile(2), by which files go, may have
# told of that by a short count, and says EPIPE then.
#
# Usage: test_reset.sh PROBE HELLO
. "$(dirname "$0")/lib.sh"
probe=$1

need_ring "$2"
needs python3

# It takes or sends some bytes, while the client wants more, and resets the connection.
cat >"$tmp/reset.py" <<'END'
import socket, struct, sys

listener = socket.create_server(('127.0.0.1', 0))
print('port=%d' % listener.getsockname()[1], flush=True)
while True:
    s, _ = listener.accept()
    if sys.argv[1] == 'send':
        s.sendall(bytes(100000))
    else:
        s.recv(100000, socket.MSG_WAITALL)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
END

# is_reset WORDS: the client in $tmp/stderr was.
is_reset() {
	check "$1 is reset: $(cat "$tmp/stderr")" -- \
		grep -q '^ECONNRESET after [0-9]* bytes: .*: Connection reset by peer$' "$tmp/stderr"
}

start_server python3 "$tmp/reset.py" send
for _ in 1 2 3 4 5; do
	exits_with 1 timeout 60 "$probe" read 127.0.0.1 "$port" 0
	is_reset 'a read'
	exits_with 1 timeout 60 "$probe" receive 127.0.0.1 "$port" 0
	is_reset 'a copy to a file'
	timeout 60 "$probe" receive 127.0.0.1 "$port" 0 2>"$tmp/stderr" | cat >/dev/null
	is_reset 'a copy to a pipe'
	timeout 60 "$probe" receive 127.0.0.1 "$port" 0 2>"$tmp/stderr" >/dev/null
	is_reset 'a copy to a device'
done

truncate -s 1G "$tmp/large"
start_server python3 "$tmp/reset.py" receive
for _ in 1 2 3 4 5; do
	exits_with 1 timeout 60 "$probe" send 127.0.0.1 "$port" 0 <"$tmp/large"
	sed -i 's/^EPIPE \(after .*: sendfile:\) Broken pipe$/ECONNRESET \1 Connection reset by peer/' \
		"$tmp/stderr"
	is_reset 'a copy of a file'
	exits_with 1 timeout 60 "$probe" send 127.0.0.1 "$port" 0 </dev/zero
	is_reset 'a copy of a device'
	mkfifo "$tmp/fifo"
	cat "$tmp/large" >"$tmp/fifo" 2>/dev/null &
	pids="$pids $!"
	exits_with 1 timeout 60 "$probe" send 127.0.0.1 "$port" 0 <"$tmp/fifo"
	is_reset 'a copy of a pipe'
	rm "$tmp/fifo"
done

finish
