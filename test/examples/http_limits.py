# SPDX-License-Identifier: ISC
"""
Clients that take too long: http_limits.py PORT LIMIT CASE, of a server with limits of so many
seconds.

What is checked is what comes and that the connection ends, not when.
"""
import sys
import time

from http_client import answers, connect, read_to_end

port, limit, case = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
GET = b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /small.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"

with connect(port) as sock:
    if case == "silent":
        wanted = []
    elif case == "idle":
        sock.sendall(GET)
        wanted = [200]
    elif case == "empty lines":
        # They begin no request, which would be answered 408.
        sock.sendall(POST + b"abcde\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 405 ")
        sock.sendall(b"\r\n\r\n")
        wanted = []
    elif case == "head":
        sock.sendall(GET[:10])
        wanted = [408]
    elif case == "second head":
        sock.sendall(GET + GET[:-1])
        wanted = [200, 408]
    elif case == "body":
        sock.sendall(POST + b"abcd")
        wanted = [408]
    elif case == "continue":
        sock.sendall(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        wanted = [100, 408]
    elif case == "drip":
        # A byte now and then does not prolong it: it ends long before the head would.
        sock.settimeout(0.2)
        data = b""
        for byte in b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100:
            try:
                sock.sendall(bytes([byte]))
                data = sock.recv(4096)
                break
            except TimeoutError:
                pass
        sock.settimeout(60)
        got = [a.status for a in answers(data + read_to_end(sock))]
        assert got == [408], got
        sys.exit()
    elif case == "anew":
        # A request in pieces, and another one when the time of the first is over. There is no
        # limit between requests.
        sock.sendall(GET + GET[:10])
        assert sock.recv(4096)
        sock.sendall(GET[10:])
        assert sock.recv(4096)
        time.sleep(1.1 * limit)
        sock.sendall(GET + GET[:10])
        assert sock.recv(4096)
        sock.sendall(GET[10:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        wanted = [200]
    else:
        sys.exit(f"no such case: {case}")
    got = answers(read_to_end(sock))
    assert [a.status for a in got] == wanted, [a.status for a in got]
    if wanted and wanted[-1] == 408:
        assert got[-1].fields[b"connection"] == b"close"
