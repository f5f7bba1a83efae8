# SPDX-License-Identifier: ISC
"""
A log that nobody reads for a while: http_log.py PORT PID FIFO.

The pipe is full, so that the entries gather. First they are more than there is room for, so that
requests wait until the log is read. Then the server has been told to stop and has closed its
connections when they are read. All of them have to come.
"""
import os
import signal
import sys
import time

from http_client import answers, connect, read_to_end

port, pid, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
log = os.open(path, os.O_RDWR | os.O_NONBLOCK)
GET = b"GET /small.txt HTTP/1.1\r\nHost: x\r\n"
MANY = 60
signal.alarm(60)


def fill():
    os.set_blocking(log, False)
    try:
        while True:
            os.write(log, bytes(4096))
    except BlockingIOError:
        os.set_blocking(log, True)


def read_entries(wanted):
    got = b""
    while got.count(b"\n") < wanted:
        got += os.read(log, 65536)
    assert got.count(GET[:14]) == wanted, got.count(GET[:14])


fill()
with connect(port) as sock:
    long = GET + b"User-Agent: " + b"x" * 2000 + b"\r\n"
    sock.sendall((long + b"\r\n") * (MANY - 1) + long + b"Connection: close\r\n\r\n")
    time.sleep(0.3)  # They come to wait; if not, nothing is shown, but nothing fails.
    read_entries(MANY)
    assert [a.status for a in answers(read_to_end(sock))] == [200] * MANY
fill()
with connect(port) as sock:
    for _ in range(3):
        sock.sendall(GET + b"\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    os.kill(pid, signal.SIGTERM)
    assert sock.recv(4096) == b""
read_entries(3)
