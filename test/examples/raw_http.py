# SPDX-License-Identifier: ISC
"""Sends standard input to 127.0.0.1:PORT as it is and prints what comes until the end.

With a second argument, byte by byte. A reset, or no end within 20 seconds, is a failure.
"""
import socket
import sys

sock = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10)
sock.settimeout(20)
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
request = sys.stdin.buffer.read()
if len(sys.argv) > 2:
    for i in range(len(request)):
        sock.sendall(request[i:i + 1])
else:
    sock.sendall(request)
while part := sock.recv(1 << 16):
    sys.stdout.buffer.write(part)
