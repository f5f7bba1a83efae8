# SPDX-License-Identifier: ISC
"""
Both ends of a proxy: a client and an upstream in one program, with the proxy between them.

Each function whose name begins with a_ is a claim. It starts a proxy with options of its own,
which must end well and say nothing but what is expected.

Usage: proxy_ends.py PROXY [CLAIM...]
"""
import contextlib
import hashlib
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

PATIENCE_S = 60


class Proxy:
    """A proxy with an upstream that listens here."""

    def __init__(self, *options, family=socket.AF_INET, backlog=1024, complaint=None):
        self.family = family
        self.complaint = complaint
        if family == socket.AF_UNIX:
            self.address = f"@eio-test-proxy-{os.getpid()}"
            self.listener = socket.socket(family)
            self.listener.bind("\0" + self.address[1:])
            self.listener.listen(backlog)
            upstream, listen = "unix:" + self.address, f"unix:@eio-test-near-{os.getpid()}"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
            upstream, listen = "127.0.0.1:%d" % self.listener.getsockname()[1], "0"
        self.near = listen
        self.upstream = upstream
        self.listener.settimeout(PATIENCE_S)
        self.process = subprocess.Popen(
            [sys.argv[1], "--stats", *options, listen, upstream],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith("port="), line + self.process.stderr.read()
        self.port = int(line[5:])
        self.files = self.open_files()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.end()
        finally:
            self.process.kill()
            self.process.wait()
            self.listener.close()

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def catches(self, number):
        """A handler is good for one signal."""
        with open(f"/proc/{self.process.pid}/status") as f:
            caught = int(re.search(r"SigCgt:\s*(\w+)", f.read())[1], 16)
        return caught >> (number - 1) & 1

    def client(self):
        s = socket.socket(self.family)
        s.settimeout(PATIENCE_S)
        if self.family == socket.AF_UNIX:
            s.connect("\0" + self.near[len("unix:@"):])
        else:
            s.connect(("127.0.0.1", self.port))
        return s

    def pair(self):
        """A client and what the upstream sees of it."""
        client = self.client()
        server = self.listener.accept()[0]
        server.settimeout(PATIENCE_S)
        return client, server

    def end(self):
        """It closes what it opened, and ends well; self.stats is what it tells at last."""
        until = time.monotonic() + PATIENCE_S
        while self.open_files() != self.files and time.monotonic() < until:
            time.sleep(0.02)
        assert self.open_files() == self.files, (self.open_files(), self.files)
        self.process.send_signal(signal.SIGTERM)
        self.finish()

    def finish(self):
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, (self.process.returncode, err)
        assert bool(err) == bool(self.complaint), err
        assert not err or re.search(self.complaint, err), err
        self.stats = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", out)}


def abort(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def expect_reset(s):
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        rest = s.recv(1 << 20)
        while rest:
            rest = s.recv(1 << 20)
        raise AssertionError("an end, not a reset")
    s.close()


def expect_reset_at_once(proxy):
    with contextlib.suppress(ConnectionResetError):
        expect_reset(proxy.client())


def take(s, length):
    data = bytearray()
    while len(data) < length:
        part = s.recv(length - len(data))
        assert part, "the end after %d of %d bytes" % (len(data), length)
        data += part
    return bytes(data)


def receive_all(s):
    data = bytearray()
    while part := s.recv(1 << 16):
        data += part
    return bytes(data)


def patiently(claim):
    """Who was too slow for a time limit, on either side, is tried again with a longer one."""

    def tried():
        for limit_s in 1, 8:
            try:
                return claim(limit_s)
            except (AssertionError, OSError) as error:
                print(f"again, after {limit_s} s were not enough: {error!r}", flush=True)
        return claim(32)

    tried.__name__ = claim.__name__
    return tried


def a_stream_both_ways_at_once_arrives_as_it_was_sent():
    block = os.urandom((1 << 20) + 1)

    def send(s, digest, left):
        while left > 0:
            part = memoryview(block)[:left]
            s.sendall(part)
            digest.update(part)
            left -= len(part)
        s.shutdown(socket.SHUT_WR)

    def receive(s, digest):
        buf = bytearray(1 << 20)
        while n := s.recv_into(buf):
            digest.update(memoryview(buf)[:n])

    for family, length in (socket.AF_INET, 128 << 20), (socket.AF_UNIX, 32 << 20):
        with Proxy(family=family) as proxy:
            ends = proxy.pair()
            digests = [hashlib.sha256() for _ in range(4)]
            threads = []
            for i in range(2):
                threads.append(threading.Thread(target=send, args=(ends[i], digests[i], length)))
                threads.append(threading.Thread(target=receive, args=(ends[1 - i], digests[2 + i])))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for i in range(2):
                assert digests[i].digest() == digests[2 + i].digest(), "other bytes"
                ends[i].close()
        assert proxy.stats["up"] == proxy.stats["down"] == length, proxy.stats
        assert proxy.stats["served"] == 1, proxy.stats


def a_direction_that_ended_leaves_the_other_open():
    for family in socket.AF_INET, socket.AF_UNIX:
        with Proxy(family=family) as proxy:
            for turn in range(2):
                first, last = proxy.pair() if turn == 0 else reversed(proxy.pair())
                first.sendall(b"question")
                first.shutdown(socket.SHUT_WR)
                assert receive_all(last) == b"question"
                for size in 1, 1000, 1000000:
                    data = os.urandom(size)
                    sender = threading.Thread(target=last.sendall, args=(data,))
                    sender.start()
                    assert take(first, size) == data
                    sender.join()
                last.close()
                assert receive_all(first) == b""
                first.close()
        assert proxy.stats["served"] == 2, proxy.stats


def a_reset_is_passed_on_in_both_directions():
    with Proxy() as proxy:
        for size in 0, 10, 1000, 1000000:
            for turn in range(2):
                near, far = proxy.pair() if turn == 0 else reversed(proxy.pair())
                near.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    near.sendall(bytes(size))
                far.recv(1) if size else None
                abort(near)
                expect_reset(far)
    assert proxy.stats["failed"] == 8 and proxy.stats["served"] == 0, proxy.stats


def a_connection_in_a_thousand_gets_its_own_bytes():
    # Two descriptors for each, here as well; as many as there may be, if that is less.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = 1000 if hard == resource.RLIM_INFINITY else min(1000, hard // 2 - 50)
    with Proxy() as proxy:
        pairs = []
        for i in range(count):
            client = proxy.client()
            client.sendall(b"%06d" % i)
            pairs.append(client)
        servers = {}
        for _ in pairs:
            server = proxy.listener.accept()[0]
            server.settimeout(PATIENCE_S)
            servers[int(take(server, 6))] = server
        for i, client in enumerate(pairs):
            servers[i].sendall(b"%06d" % (i * 7) * (i % 100 + 1))
        for i, client in enumerate(pairs):
            wanted = b"%06d" % (i * 7) * (i % 100 + 1)
            assert take(client, len(wanted)) == wanted
        # Two descriptors for each, and no more.
        assert proxy.open_files() == proxy.files + 2 * count, proxy.open_files()
        for i, client in enumerate(pairs):
            (client if i % 2 else servers[i]).close()
        for i, client in enumerate(pairs):
            other = servers[i] if i % 2 else client
            assert receive_all(other) == b""
            other.close()
    assert proxy.stats["served"] == count, proxy.stats


def a_refusing_upstream_is_named_and_the_client_reset():
    with Proxy(complaint=r"127\.0\.0\.1:\d+: connect 127\.0\.0\.1:\d+: Connection refused") as proxy:
        proxy.listener.close()
        expect_reset_at_once(proxy)
    assert proxy.stats["unreachable"] == 1, proxy.stats


def a_missing_unix_upstream_is_named():
    with Proxy(
        family=socket.AF_UNIX, complaint="connect unix:@eio-test-proxy.*Connection refused"
    ) as proxy:
        proxy.listener.close()
        client = proxy.client()
        assert receive_all(client) == b""  # Unix sockets know no reset
        client.close()
    assert proxy.stats["unreachable"] == 1, proxy.stats


def a_silent_upstream_is_given_up_after_the_connect_timeout():
    with Proxy("--connect-timeout", "0.3", backlog=0, complaint="timed out") as proxy:
        # The queue is full: the kernel answers no further one.
        full = [proxy.client()]
        pending = proxy.listener.getsockname()
        for _ in range(3):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(pending)
            full.append(s)
        expect_reset_at_once(proxy)
        for s in full:
            s.close()
        proxy.listener.close()
    assert proxy.stats["unreachable"] >= 1, proxy.stats


@patiently
def a_connection_idles_no_longer_than_it_may(limit_s):
    with Proxy("--idle-timeout", str(limit_s)) as proxy:
        silent = proxy.pair()
        busy = proxy.pair()
        # Bytes in one direction are enough, as long as they come.
        for _ in range(5):
            time.sleep(limit_s / 4)
            busy[1].sendall(b"x")
            assert busy[0].recv(1) == b"x"
        for s in silent:
            expect_reset(s)
        for s in busy:
            expect_reset(s)
    assert proxy.stats["idle"] == 2, proxy.stats


def a_client_beyond_the_limit_waits():
    with Proxy("--max-connections", "2") as proxy:
        one, two = proxy.pair(), proxy.pair()
        third = proxy.client()
        third.sendall(b"third")
        proxy.listener.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            proxy.listener.accept()
            raise AssertionError("it does not wait")
        proxy.listener.settimeout(PATIENCE_S)
        for s in one:
            s.close()
        server = proxy.listener.accept()[0]
        assert take(server, 5) == b"third"
        for s in (*two, third, server):
            s.close()


@patiently
def a_stop_lets_a_transfer_end_and_then_ends_what_idles(limit_s):
    with Proxy("--drain-timeout", str(limit_s)) as proxy:
        idle = proxy.pair()
        client, server = proxy.pair()
        server.sendall(b"begun")
        assert take(client, 5) == b"begun"
        proxy.process.send_signal(signal.SIGTERM)
        while proxy.catches(signal.SIGTERM):
            time.sleep(0.01)
        server.sendall(b"and ended")
        server.close()
        assert receive_all(client) == b"and ended"
        client.close()
        for s in idle:
            expect_reset(s)
        proxy.finish()
        assert proxy.stats["served"] >= 1, proxy.stats
        proxy.end = lambda: None


claims = [value for name, value in list(globals().items()) if name.startswith("a_")]
for claim in claims:
    if not sys.argv[2:] or claim.__name__ in sys.argv[2:]:
        start = time.monotonic()
        claim()
        print(f"{time.monotonic() - start:6.2f} s  {claim.__name__}", flush=True)
