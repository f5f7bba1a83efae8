# SPDX-License-Identifier: ISC
"""What the raw clients of the tests of httpd share."""
import socket

TIMEOUT = 20


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.settimeout(TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_to_end(sock):
    data = b""
    while part := sock.recv(1 << 16):
        data += part
    return data


def exchange(port, pieces):
    """Sends the pieces and returns what comes until the server ends the connection."""
    with connect(port) as sock:
        for piece in pieces:
            sock.sendall(piece)
        return read_to_end(sock)


def chunks(data):
    """The content of a chunked body at the beginning of data, and what follows it."""
    content = b""
    while True:
        size, data = data.split(b"\r\n", 1)
        length = int(size, 16)
        content += data[:length]
        assert data[length : length + 2] == b"\r\n", data[length : length + 20]
        data = data[length + 2 :]
        if length == 0:
            return content, data


class Answer:
    def __init__(self, status, fields, content):
        self.status, self.fields, self.content = status, fields, content


def answers(data, heads=()):
    """Takes what a server sent apart. The answers whose numbers are in heads are to a HEAD."""
    found = []
    while data:
        head, data = data.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
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
            content, data = chunks(data)
        elif b"content-length" in fields:
            length = int(fields[b"content-length"])
            assert len(data) >= length, (len(data), length)
            content, data = data[:length], data[length:]
        else:
            content, data = data, b""
        found.append(Answer(status, fields, content))
    return found
