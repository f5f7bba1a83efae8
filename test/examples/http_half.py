# SPDX-License-Identifier: ISC
"""
A download that stands still half way: http_half.py ADDRESS PORT PATH FILE GATE.

It says "half way" when the first bytes of the content are there, and takes the others, which are
far more than sockets hold, when somebody has opened the fifo GATE to write.
"""
import socket
import sys

from http_client import TIMEOUT, answers, read_to_end

address, port, path, file, gate = sys.argv[1:]
with socket.socket() as sock:
    sock.settimeout(TIMEOUT)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    sock.connect((address, int(port)))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    begun = sock.recv(1 << 16)
    print("half way", flush=True)
    open(gate).close()
    (answer,) = answers(begun + read_to_end(sock))
assert answer.status == 200, answer.status
with open(file, "wb") as f:
    f.write(answer.content)
