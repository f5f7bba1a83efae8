# SPDX-License-Identifier: ISC
"""
Sends requests to httpd that curl is too polite for: http_protocol.py PORT.

The served directory has a file small.txt with the content "small\n". Each request is sent at
once, byte by byte, and some of them cut in two at every byte: the answers have to be the same,
and the server has to end the connection after them.
"""
import sys

from http_client import answers, connect, exchange, read_to_end

PORT = int(sys.argv[1])
HOST = "Host: x\r\n"
CLOSE = "Connection: close\r\n"
LAST = f"GET /small.txt HTTP/1.1\r\n{HOST}{CLOSE}\r\n"
OK = f"GET /small.txt HTTP/1.1\r\n{HOST}"
POST = f"POST /small.txt HTTP/1.1\r\n{HOST}"
CHUNKED = f"{POST}Transfer-Encoding: chunked\r\n"
failures = 0


def check(condition, *what):
    global failures
    if not condition:
        failures += 1
        print("FAIL:", *what)


# What is answered, after which the connection ends.
CASES = [
    ([200], OK + CLOSE + "\r\n"),
    ([200], "\r\n\r\n" + LAST),
    ([200], f"GET http://elsewhere/small.txt HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    ([200], f"GET HTTP://Elsewhere:80/small.txt?x HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    ([200], "GET /small.txt HTTP/1.1\r\nhOST:x\r\ncONNECTION:\t foo , CLOSE \r\n\r\n"),
    ([200], "GET /small.txt HTTP/1.0\r\n\r\n"),
    ([200, 200], "GET /small.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + LAST),
    ([200, 200], OK + "\r\n" + LAST),
    ([400], "GET /small.txt\r\n\r\n"),
    ([400], f"GET /small.txt HTTP/1.1\n{HOST}{CLOSE}\n"),
    ([400], f"GET /small.txt HTTP/1.1\r\nHost: x\n{CLOSE}\r\n"),
    ([400], f"GET /small.txt HTTP/1.1\r\n{HOST}X: a\rb\r\n\r\n"),
    ([400], f"GET /small.txt HTTP/1.1\r\n{CLOSE}\r\n"),
    ([400], OK + HOST + "\r\n"),
    ([400], "GET /small.txt HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ([400], f"GET  /small.txt HTTP/1.1\r\n{HOST}\r\n"),
    ([400], f"GET /small.txt HTTP/x.1\r\n{HOST}\r\n"),
    ([400], f"GET small.txt HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    ([400], f"GET * HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    ([400], f"GET http:///small.txt HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    ([400], "GET /small.txt HTTP/1.1\r\nHost : x\r\n\r\n"),
    ([400], OK + " folded\r\n\r\n"),
    ([400], OK + "X: a\0b\r\n\r\n"),
    ([400], f"GET /small\1.txt HTTP/1.1\r\n{HOST}\r\n"),
    ([400], "\x16\x03\x01\x02\x00\x01\n"),
    ([414], "GET /" + 9000 * "x"),
    ([417], f"{POST}Expect: a miracle\r\nContent-Length: 1\r\n\r\nx"),
    ([431], OK + 200 * "X:\r\n"),
    ([431], OK + "X: " + 16384 * "x"),
    ([505], f"GET /small.txt HTTP/2.0\r\n{HOST}\r\n"),
    ([501], f"get /small.txt HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    ([405], f"CONNECT host:80 HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    ([204, 204], f"OPTIONS * HTTP/1.1\r\n{HOST}\r\nOPTIONS / HTTP/1.1\r\n{HOST}{CLOSE}\r\n"),
    # Bodies are read past, and what follows them is the next request.
    ([405, 200], f"{POST}Content-Length: 5\r\n\r\nGET /" + LAST),
    ([405, 200], f"{POST}Content-Length: 0\r\n\r\n" + LAST),
    ([200, 200], f"{OK}Content-Length: 3\r\n\r\nabc" + LAST),
    ([405, 200], CHUNKED + "\r\n0\r\n\r\n" + LAST),
    ([405, 200], CHUNKED + "\r\n5;x=y\r\nGET /\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n" + LAST),
    ([200, 405, 200], OK + "\r\n" + CHUNKED + "\r\n1\r\nx\r\n0\r\n\r\n" + LAST),
    ([100, 405, 200], f"{POST}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x" + LAST),
    ([100, 405, 200], f"{CHUNKED}Expect: 100-continue\r\n\r\n", "0\r\n\r\n" + LAST),
    ([405], "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x"),
    ([413], f"{POST}Content-Length: 1048577\r\n\r\n"),
    ([413], f"{POST}Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n"),
    ([413], CHUNKED + "\r\n100001\r\n"),
    # What could mean one thing here and another behind a proxy.
    ([400], f"{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx" + LAST),
    ([400], f"{POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx" + LAST),
    ([400], f"{POST}Content-Length: 1, 1\r\n\r\nx" + LAST),
    ([400], f"{POST}Content-Length: -1\r\n\r\n" + LAST),
    ([400], f"{POST}Content-Length: 0x1\r\n\r\nx" + LAST),
    ([400], f"{POST}Content-Length : 1\r\n\r\nx" + LAST),
    ([400], f"{CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n" + LAST),
    ([400], f"{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + LAST),
    ([400], f"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + LAST),
    ([400], f"{POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + LAST),
    ([400], f"{POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + LAST),
    ([400], f"{POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + LAST),
    ([400], f"{CHUNKED}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + LAST),
    ([501], f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + LAST),
    ([501], f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + LAST),
    ([400], CHUNKED + "\r\n1\nx\r\n0\r\n\r\n" + LAST),
    ([400], CHUNKED + "\r\n1\r\nxx\r\n0\r\n\r\n" + LAST),
    ([400], CHUNKED + "\r\n1 \r\nx\r\n0\r\n\r\n" + LAST),
    ([400], CHUNKED + "\r\n-1\r\nx\r\n0\r\n\r\n" + LAST),
    ([400], CHUNKED + "\r\n0x1\r\nx\r\n0\r\n\r\n" + LAST),
    ([400], CHUNKED + "\r\n0\r\n\n" + LAST),
    ([431], CHUNKED + "\r\n0\r\n" + 9000 * "x"),
]


def judge(wanted, data, how):
    try:
        got = answers(data)
    except (AssertionError, ValueError) as error:
        check(False, how, repr(error))
        return
    check([a.status for a in got] == wanted, how, [a.status for a in got], "not", wanted)
    for answer in got:
        if answer.status == 200:
            check(answer.content == b"small\n", how, answer.content)


# How it is sent makes no difference, but for what is continued: its body would be there already.
for wanted, *pieces in CASES:
    pieces = [piece.encode("latin-1") for piece in pieces]
    whole = b"".join(pieces)
    if len(pieces) == 1:
        judge(wanted, exchange(PORT, pieces), repr(pieces[0][:200]))
        if len(whole) < 1000:
            single = [whole[i : i + 1] for i in range(len(whole))]
            judge(wanted, exchange(PORT, single), "slowly " + repr(pieces[0]))
        continue
    with connect(PORT) as sock:
        sock.sendall(pieces[0])
        data = b""
        if 100 in wanted:
            while not data.endswith(b"\r\n\r\n"):
                data += sock.recv(1)
        sock.sendall(pieces[1])
        judge(wanted, data + read_to_end(sock), repr(pieces[0]))

whole = (CHUNKED + "\r\n5;x\r\nGET /\r\n0\r\nT: x\r\n\r\n" + LAST).encode()
for cut in range(len(whole)):
    judge([405, 200], exchange(PORT, [whole[:cut], whole[cut:]]), f"cut at {cut}")

# Who has sent the body already is not told to.
whole = f"{POST}Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx{LAST}".encode()
judge([405, 200], exchange(PORT, [whole]), "a body that was not waited with")

# The largest body there may be, both ways.
large = 1048576 * b"x"
head = f"{POST}Content-Length: 1048576\r\n\r\n".encode()
judge([405, 200], exchange(PORT, [head, large, LAST.encode()]), "a large body")
parts = b"".join(b"%x\r\n%s\r\n" % (65536, large[:65536]) for _ in range(16))
head = (CHUNKED + "\r\n").encode()
judge([405, 200], exchange(PORT, [head, parts, b"0\r\n\r\n" + LAST.encode()]), "large chunks")
judge([413], exchange(PORT, [head, parts, b"1\r\n"]), "chunks that are too large together")

sys.exit(failures > 0)
