# SPDX-License-Identifier: ISC
"""
A server of several domains whose process runs out of descriptors, or is stopped under load.

Each function whose name begins with a_ is a claim. All servers send back what they are sent, in
their way: httpd a file whose name is sent. The proxy has an httpd behind it.

Usage: servers.py KIND PORT PID
"""
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import time

from http_client import connect, read_to_end

kind, port, pid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
CLIENTS, ROOM, THREADS = 60, 20, 16
FILE = b"x" * 20000

if kind == "echo":
    REQUEST = ANSWER = b"hello" * 20
else:
    REQUEST = b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n"
    ANSWER = FILE


def is_whole(got):
    """Has an answer come, and all of it?"""
    if kind == "echo":
        return got == ANSWER
    head, _, content = got.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 503 "):
        return content == b"Service Unavailable\n"
    return head.startswith(b"HTTP/1.1 200 ") and content == ANSWER


def open_files():
    return len(os.listdir(f"/proc/{pid}/fd"))


def wait_for_files(wanted):
    for _ in range(200):
        if open_files() == wanted:
            return
        time.sleep(0.05)
    raise AssertionError(f"{open_files()} descriptors instead of {wanted}")


def crowd(selector, refused):
    """All ask at once."""
    for _ in range(CLIENTS):
        try:
            sock = connect(port)
            selector.register(sock, selectors.EVENT_READ, bytearray())
            sock.sendall(REQUEST)
        except (ConnectionResetError, BrokenPipeError):
            assert refused, "reset at once"


def serve_crowd(refused):
    """Lets each read its answer and go, which makes room for another: how many were answered."""
    answered = 0
    selector = selectors.DefaultSelector()
    crowd(selector, refused)
    while selector.get_map():
        ready = selector.select(20)
        assert ready, f"{len(selector.get_map())} clients wait for ever"
        for key, _ in ready:
            try:
                part = key.fileobj.recv(1 << 16)
            except ConnectionResetError:
                part = b""
            key.data.extend(part)
            assert part or refused and not key.data, f"closed after {len(key.data)} bytes"
            if not part or is_whole(bytes(key.data)):
                selector.unregister(key.fileobj)
                key.fileobj.close()
                answered += bool(part)
    return answered


def a_shortage_of_descriptors_is_overcome(files):
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files + ROOM, limits[1]))
    # The proxy, with no descriptor left for the other side, resets its client.
    answered = serve_crowd(refused=kind == "proxy")
    assert 0 < answered <= CLIENTS and (kind == "proxy" or answered == CLIENTS), answered
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    wait_for_files(files)
    assert serve_crowd(refused=False) == CLIENTS
    wait_for_files(files)


class Load(threading.Thread):
    """Asks on and on; the server may end a connection, but not in the middle of an answer."""

    def __init__(self):
        super().__init__()
        self.answers, self.torn = 0, None

    def ask(self, sock):
        got = b""
        try:
            sock.sendall(REQUEST)
            while not is_whole(got):
                part = sock.recv(1 << 16)
                if not part:
                    break
                got += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        if got and not is_whole(got):
            self.torn = f"an answer ends after {len(got)} bytes"
        self.answers += is_whole(got)
        return is_whole(got)

    def run(self):
        try:
            while not self.torn:
                with connect(port) as sock:
                    for _ in range(5):
                        if not self.ask(sock):
                            break
        except (ConnectionRefusedError, ConnectionResetError):
            pass


def additional_domains():
    """How many of its threads are."""
    tasks = f"/proc/{pid}/task"
    names = [open(f"{tasks}/{tid}/comm").read().strip() for tid in os.listdir(tasks)]
    return names.count("eio-server")


def all_domains_are_there():
    assert additional_domains() == 2, additional_domains()


def half_a_request():
    """It has come, and the server waits for the rest."""
    sock = connect(port)
    sock.sendall(REQUEST)
    while not is_whole(sock.recv(len(ANSWER) + 1000, socket.MSG_PEEK)):
        pass
    sock.recv(len(ANSWER) + 1000)
    sock.sendall(REQUEST[:10])
    return sock


def a_stop_under_load_tears_no_answer():
    halves = [half_a_request() for _ in range(6)] if kind == "httpd" else []
    load = [Load() for _ in range(THREADS)]
    for thread in load:
        thread.start()
    while sum(thread.answers for thread in load) < 500:
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    for sock in halves:
        sock.sendall(REQUEST[10:])
    for sock in halves:
        assert is_whole(read_to_end(sock))
    for thread in load:
        thread.join()
        assert not thread.torn, thread.torn
        assert thread.answers > 0


all_domains_are_there()
a_shortage_of_descriptors_is_overcome(open_files())
a_stop_under_load_tears_no_answer()
