# SPDX-License-Identifier: ISC
"""
A log that nobody reads until the server ends: http_log.py PORT PID FIFO.

The pipe is full, so that the entries gather; the server has been told to stop and has closed its
connections when they are read. All of them have to come.
"""
import os
import signal
import sys

from http_client import connect

port, pid, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
log = os.open(path, os.O_RDWR | os.O_NONBLOCK)
try:
    while True:
        os.write(log, bytes(4096))
except BlockingIOError:
    pass
with connect(port) as sock:
    for _ in range(3):
        sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    os.kill(pid, signal.SIGTERM)
    assert sock.recv(4096) == b""
os.set_blocking(log, True)
signal.alarm(20)
got = b""
while got.count(b"\n") < 3:
    got += os.read(log, 65536)
assert got.count(b"GET /small.txt") == 3
