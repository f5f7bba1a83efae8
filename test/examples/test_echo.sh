#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_echo.sh ECHO HELLO
. "$(dirname "$0")/lib.sh"
echo=$(realpath "$1") || exit 1

need_ring "$2"

exits_with 0 "$echo" --help
check --help prints the usage -- grep -q '^Usage: echo' "$tmp/stdout"
exits_with 2 "$echo" --nonsense
exits_with 2 "$echo" 127.0.0.1
exits_with 2 "$echo" 70000
exits_with 2 "$echo" 1 2
exits_with 2 "$echo" --domains x
check a bad number is named -- grep -q -e '--domains x: not a number' "$tmp/stderr"
exits_with 2 "$echo" --domains 1025 0
exits_with 1 "$echo" 192.0.2.1:0
check a failure names the address -- grep -q 192.0.2.1 "$tmp/stderr"

start_server "$echo" 0
files=$(open_files)
exits_with 1 "$echo" "$port"
check a taken port is named -- grep -q "127.0.0.1:$port" "$tmp/stderr"

cat >"$tmp/client.py" <<'END'
import os, socket, struct, sys, threading

port = int(sys.argv[1])

def connect():
    s = socket.create_connection(('127.0.0.1', port), 60)
    s.settimeout(60)
    return s

def echoed(s, data):
    """Sends from another thread, so that large messages cannot block both sides."""
    sender = threading.Thread(target=s.sendall, args=(data,))
    sender.start()
    got = bytearray()
    while len(got) < len(data):
        part = s.recv(1 << 20)
        assert part, 'closed after %d of %d bytes' % (len(got), len(data))
        got += part
    sender.join()
    assert bytes(got) == data, 'wrong bytes'

# Sizes on both sides of the buffers', growing and shrinking, on one connection.
s = connect()
for size in [1, 2, 64, 255, 256, 257, 511, 512, 4096, 16384, 65535, 65536, 65537,
             1 << 20, 8 << 20] + [64] * 40 + [256] * 3 + [16384] * 20 + [1] * 20:
    echoed(s, os.urandom(size))
# What was sent before the end comes back before the end.
s.sendall(b'last')
s.shutdown(socket.SHUT_WR)
rest = b''
while part := s.recv(100):
    rest += part
assert rest == b'last', rest
s.close()

# Many at once, each used twice.
many = [connect() for _ in range(300)]
for i, s in enumerate(many):
    s.sendall(b'%05d' % i * 13)
for i, s in enumerate(many):
    assert s.recv(65, socket.MSG_WAITALL) == b'%05d' % i * 13
for s in many:
    echoed(s, os.urandom(1000))
for s in many[:150]:
    s.close()
# The others go without a word: a reset is no failure of the server.
for s in many[150:]:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()

# One that never reads is reset while the server writes.
s = connect()
s.setblocking(False)
try:
    while True:
        s.send(bytes(1 << 16))
except BlockingIOError:
    pass
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.close()
END
check every byte comes back -- python3 "$tmp/client.py" "$port"
files_are "$files"

# A connection that idles does not keep the server from stopping.
cat >"$tmp/idle.py" <<'END'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60)
s.settimeout(60)
s.sendall(b'x')
assert s.recv(1) == b'x'
print('idle', flush=True)
assert s.recv(1) == b'', 'more bytes'
END
python3 "$tmp/idle.py" "$port" >"$tmp/idle.out" &
idle=$!
pids="$pids $idle"
await an idle connection -- grep -qs idle "$tmp/idle.out"
stop_server TERM
check an idle connection is closed -- wait $idle

start_server "$echo"
stop_server INT

for domains in 0 3; do
	start_server "$echo" --domains $domains 0
	check "every byte comes back from $domains domains" -- python3 "$tmp/client.py" "$port"
	stop_server TERM
done

# A path of its own may be too long for a socket's.
cd "$tmp" || exit 1
start_server "$echo" unix:socket
cat >"$tmp/unix.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'unix')
assert s.recv(4, socket.MSG_WAITALL) == b'unix'
END
check it serves a Unix socket -- python3 unix.py socket
stop_server TERM
check the socket is removed -- [ ! -e socket ]

finish
