#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A name server for tests, at 127.0.0.1:53.

    N.ok.test       192.0.2.N and 2001:db8::N, at once
    N.slow.test     the same, when N.go.test has been asked for
    N.hold.test     192.0.2.N, when HELD such names are waited for, and a while later
    N.silent.test   no answer
    and back        192.0.2.N is hostN.test

All others do not exist. A name is waited for when both families have been asked for. It
tells what is asked for and, ended by SIGTERM, how many names were held at most.

Usage: dns.py HELD
"""
import signal
import socket
import struct
import sys
import time

A, PTR, AAAA = 1, 12, 28
WHILE = 0.3


def end(signum, frame):
    raise SystemExit


def encode(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"


def answer(question, name, qtype):
    """The response; qtype 0: the name does not exist."""
    labels = name.split(".")
    data = None
    if qtype == PTR:
        data = encode(f"host{labels[0]}.test")
    elif qtype:
        n = int(labels[0])
        if qtype == A:
            data = bytes([192, 0, 2, n])
        elif qtype == AAAA and labels[1] != "hold":
            data = bytes([0x20, 0x01, 0x0D, 0xB8]) + bytes(11) + bytes([n])
    flags = 0x8180 if qtype else 0x8183
    head = question[:2] + struct.pack(">5H", flags, 1, 1 if data else 0, 0, 0)
    body = question[12 : 12 + len(encode(name)) + 4]
    if data:
        body += struct.pack(">3HIH", 0xC00C, qtype, 1, 60, len(data)) + data
    return head + body


def parse(question):
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode().lower())
        at += 1 + question[at]
    return ".".join(labels), struct.unpack_from(">H", question, at + 1)[0]


def main():
    limit = int(sys.argv[1])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))
    held, slow = {}, {}  # questions by name
    gone = set()  # names like those of slow that are to be answered
    until = None  # when those that are held are
    most = 0

    def answer_all(questions):
        for question, name, qtype, peer in questions:
            s.sendto(answer(question, name, qtype), peer)

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    try:
        while True:
            s.settimeout(until and max(0.001, until - time.monotonic()))
            try:
                question, peer = s.recvfrom(4096)
            except socket.timeout:
                for questions in held.values():
                    answer_all(questions)
                held.clear()
                until = None
                continue
            name, qtype = parse(question)
            asked = question, name, qtype, peer
            print(name, flush=True)
            kind = name.split(".", 1)[-1]
            if kind == "hold.test":
                held.setdefault(name, []).append(asked)
                most = max(most, len(held))
                if len(held) == limit and all(len(each) == 2 for each in held.values()):
                    until = time.monotonic() + WHILE
            elif kind == "slow.test" and name not in gone:
                slow.setdefault(name, []).append(asked)
            elif kind in ("ok.test", "slow.test", "2.0.192.in-addr.arpa"):
                answer_all([asked])
            elif kind != "silent.test":
                s.sendto(answer(question, name, 0), peer)
                if kind == "go.test":
                    name = name.replace("go", "slow")
                    gone.add(name)
                    answer_all(slow.pop(name, []))
    finally:
        print(f"most={most}", flush=True)


main()
