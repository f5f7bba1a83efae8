# SPDX-License-Identifier: ISC
"""What the raw clients of the tests of httpd share."""
import socket

TIMEOUT = 60


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    sock.settimeout(TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_to_end(sock):
    data = bytearray()
    while part := sock.recv(1 << 16):
        data += part
    return bytes(data)


def exchange(port, pieces):
    """Sends the pieces and returns what comes until the server ends the connection."""
    with connect(port) as sock:
        for piece in pieces:
            sock.sendall(piece)
        return read_to_end(sock)


def chunks(data, at):
    """The content of the chunked body that begins there, and where it ends."""
    content = b""
    while True:
        end = data.index(b"\r\n", at)
        length = int(data[at:end], 16)
        at = end + 2 + length
        content += data[end + 2 : at]
        assert data[at : at + 2] == b"\r\n", data[at : at + 20]
        at += 2
        if length == 0:
            return content, at


class Answer:
    def __init__(self, status, fields, content):
        self.status, self.fields, self.content = status, fields, content


def answers(data, heads=()):
    """Takes what a server sent apart. The answers whose numbers are in heads are to a HEAD."""
    found, at = [], 0
    while at < len(data):
        end = data.index(b"\r\n\r\n", at)
        lines = data[at:end].split(b"\r\n")
        at = end + 4
        assert lines[0].startswith(b"HTTP/1.1 "), lines[0]
        status = int(lines[0].split()[1])
        fields = {}
        for line in lines[1:]:
            name, value = line.split(b": ", 1)
            assert name.lower() not in fields, name
            fields[name.lower()] = value
        content = b""
        if status in (100, 204, 304) or len(found) in heads:
            pass
        elif fields.get(b"transfer-encoding") == b"chunked":
            content, at = chunks(data, at)
        elif b"content-length" in fields:
            length = int(fields[b"content-length"])
            assert len(data) - at >= length, (len(data) - at, length)
            content = data[at : at + length]
            at += length
        else:
            content, at = data[at:], len(data)
        found.append(Answer(status, fields, content))
    return found
