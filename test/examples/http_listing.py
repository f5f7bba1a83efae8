# SPDX-License-Identifier: ISC
"""
Compares what httpd lists with what is there: http_listing.py PORT DIRECTORY PATH.

Every link has to lead to its file's name, and every name to stand there as text.
"""
import html
import os
import re
import sys
import urllib.parse

from http_client import answers, connect, exchange, read_to_end

port, directory, path = int(sys.argv[1]), os.fsencode(sys.argv[2]), sys.argv[3]
inside = os.path.join(directory, urllib.parse.unquote_to_bytes(path.strip("/")))
wanted = []
for name in os.listdir(inside):
    full = os.path.join(inside, name)
    wanted.append(name + b"/" if os.path.isdir(full) and not os.path.islink(full) else name)
wanted.sort()
if path != "/":
    wanted.insert(0, b"../")


def compare(page):
    links = re.findall(rb'<li><a href="([^"<>]*)">([^<>"]*)</a>\n', page)
    assert len(links) == page.count(b"<li>"), "a link is not whole"
    assert [urllib.parse.unquote_to_bytes(href) for href, text in links] == wanted, "links"
    texts = [html.unescape(text.decode("latin-1")).encode("latin-1") for href, text in links]
    assert texts == wanted, "names"
    for href, text in links:  # not an absolute address, nor one with a scheme
        assert re.fullmatch(rb"[-A-Za-z0-9._~%/]*", href) and not href.startswith(b"/"), href
    title = html.unescape(re.search(rb"<h1>(.*)</h1>", page, re.S)[1].decode("latin-1"))
    assert title.encode("latin-1") == urllib.parse.unquote_to_bytes(path), title


get = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
head = f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
last = b"GET /small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

# A listing in chunks is followed by the next answer.
page, none, small = answers(exchange(port, [get + head + last]), heads=[1])
assert page.status == none.status == small.status == 200
assert page.fields[b"content-type"] == b"text/html; charset=utf-8"
assert b"content-length" not in page.fields and page.fields[b"transfer-encoding"] == b"chunked"
assert small.content == b"small\n"
compare(page.content)

# In HTTP/1.0 it ends with the connection, whatever the client would like.
old = f"GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode()
(page,) = answers(exchange(port, [old + last]))
assert b"transfer-encoding" not in page.fields and page.fields[b"connection"] == b"close"
compare(page.content)

# Who asks for it and does not read holds up nobody.
with connect(port) as slow:
    slow.sendall(get + last)
    assert answers(exchange(port, [last]))[0].content == b"small\n"
    compare(answers(read_to_end(slow))[0].content)
