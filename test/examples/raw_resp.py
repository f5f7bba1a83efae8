# SPDX-License-Identifier: ISC
"""
A client that speaks RESP2 byte by byte, for what redis-cli is too polite to do.

Usage: raw_resp.py PORT TEST        runs one of the tests below
       raw_resp.py PORT same PATH   the same commands to both servers: every byte has to agree
"""
import itertools
import os
import random
import shlex
import socket
import struct
import sys
import time


def connect(where):
    """A port, or the path of a socket."""
    if where.isdigit():
        s = socket.create_connection(("127.0.0.1", int(where)), 60)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        s = socket.socket(socket.AF_UNIX)
        s.connect(where)
    s.settimeout(60)
    return s


def frame(*args):
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Client:
    def __init__(self, port):
        self.sock = connect(port)
        self.file = self.sock.makefile("rb", 1 << 16)

    def answer(self):
        """The bytes of the next answer."""
        line = self.file.readline()
        assert line.endswith(b"\r\n"), line
        if line[:1] == b"$" and line[1:2] != b"-":
            rest = self.file.read(int(line[1:]) + 2)
            assert rest.endswith(b"\r\n")
            return line + rest
        if line[:1] == b"*" and line[1:2] != b"-":
            return line + b"".join(self.answer() for _ in range(int(line[1:])))
        return line

    def ask(self, *args):
        self.sock.sendall(frame(*args))
        return self.answer()

    def close(self):
        self.file.close()
        self.sock.close()


def until_end(s):
    got = b""
    while part := s.recv(1 << 16):
        got += part
    return got


def exchange(port, data, cut=None):
    """Sends the bytes, cut at a place, and nothing more: all that comes back."""
    s = connect(port)
    s.sendall(data[:cut])
    if cut is not None:
        s.sendall(data[cut:])
    s.shutdown(socket.SHUT_WR)
    got = until_end(s)
    s.close()
    return got


def expect(got, wanted):
    assert got == wanted, f"{got[:300]!r} instead of {wanted[:300]!r}"


def cut(port):
    """A pipeline gives the same answers wherever it is cut."""
    value = bytes(range(256)) * 2
    data = (frame("SET", "cut", value) + b"PING\r\n" + frame("GET", "cut") + frame("GET", "none")
            + frame("MGET", "cut", "none") + b"*0\r\nECHO \"a b\"\n" + frame("DEL", "cut"))
    wanted = (b"+OK\r\n+PONG\r\n$512\r\n" + value + b"\r\n$-1\r\n*2\r\n$512\r\n" + value
              + b"\r\n$-1\r\n$3\r\na b\r\n:1\r\n")
    for place in range(len(data)):
        expect(exchange(port, data, place), wanted)
    s = connect(port)
    for i in range(len(data)):
        s.sendall(data[i:i + 1])
    s.shutdown(socket.SHUT_WR)
    expect(until_end(s), wanted)


def malformed(port):
    """Bad frames are answered and end the connection, after what came before them."""
    for data, why in [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$4\r\nPINGxx", "invalid bulk length"),
        (b"GET \"a\r\n", "unbalanced quotes in request"),
        (b"a" * 70000, "too big inline request"),
    ]:
        s = connect(port)
        s.sendall(frame("PING") + data + frame("PING"))
        expect(until_end(s), b"+PONG\r\n-ERR Protocol error: " + why.encode() + b"\r\n")
        s.close()
    s = connect(port)
    s.sendall(frame("PING") + frame("QUIT") + frame("PING"))
    expect(until_end(s), b"+PONG\r\n+OK\r\n")


def garbage(port):
    """Whatever comes, the server goes on for the others."""
    other = Client(port)
    for seed in range(200):
        rng = random.Random(seed)
        if seed % 2:
            data = rng.randbytes(rng.randrange(1, 3000))
        else:
            good = b"".join(frame(rng.choice(["GET", "SET", "LPUSH", "HSET", "nope"]),
                                  *[rng.randbytes(rng.randrange(20))
                                    for _ in range(rng.randrange(4))]) for _ in range(20))
            data = bytearray(good)
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.choice(b"*$\r\n019-\x00\xffa")
        exchange(port, bytes(data))
        expect(other.ask("PING"), b"+PONG\r\n")
    expect(other.ask("FLUSHALL"), b"+OK\r\n")


def huge(port):
    """A huge value goes in and out while others are served."""
    size = 48 << 20
    value = os.urandom(1 << 20) * (size >> 20)
    other, writer, reader = Client(port), Client(port), Client(port)
    head = b"*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$%d\r\n" % size
    writer.sock.sendall(head + value[:10])
    for at in range(10, size, 4 << 20):
        writer.sock.sendall(value[at:at + (4 << 20)])
        expect(other.ask("PING"), b"+PONG\r\n")
    expect(other.ask("EXISTS", "huge"), b":0\r\n")
    writer.sock.sendall(b"\r\n")
    expect(writer.answer(), b"+OK\r\n")

    # Two read it slowly; meanwhile it changes, and goes. They get what it was.
    second = Client(port)
    for client in reader, second:
        client.sock.sendall(frame("GET", "huge"))
        expect(client.file.readline(), b"$%d\r\n" % size)
    expect(other.ask("APPEND", "huge", "tail"), b":%d\r\n" % (size + 4))
    expect(other.ask("DEL", "huge"), b":1\r\n")
    for client in reader, second:
        got = client.file.read(size + 2)
        assert got == value + b"\r\n", "wrong bytes"
        expect(client.ask("GET", "huge"), b"$-1\r\n")


def used_memory(client):
    info = client.ask("INFO").decode()
    return int(info.split("used_memory:")[1].split("\r\n")[0])


def deaf(port):
    """Clients that do not read hold up nobody, and not much memory."""
    other = Client(port)
    expect(other.ask("SET", "large", b"x" * 1000000), b"+OK\r\n")
    expect(other.ask("SET", "small", b"y" * 1000), b"+OK\r\n")
    before = used_memory(other)
    many = []
    for key in ["large", "small"] * 5:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        s.connect(("127.0.0.1", int(port)))
        s.setblocking(False)
        requests = frame("GET", key) * 1000
        try:
            while True:
                s.send(requests)
        except BlockingIOError:
            many.append(s)
    for _ in range(20):
        expect(other.ask("GET", "small"), b"$1000\r\n" + b"y" * 1000 + b"\r\n")
    used = used_memory(other) - before
    assert used < 10 * 1000000, f"{used} bytes for ten clients that do not read"
    for s in many[:5]:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    # One that reads after all gets everything.
    s = many[9]
    s.setblocking(True)
    s.settimeout(60)
    s.shutdown(socket.SHUT_WR)
    whole = b"$1000\r\n" + b"y" * 1000 + b"\r\n"
    answers = s.makefile("rb", 1 << 20)
    count = 0
    while got := answers.read(len(whole)):
        assert got == whole, got[:100]
        count += 1
    assert count > 1000, count
    answers.close()
    for s in many[5:]:
        s.close()
    expect(other.ask("DEL", "large", "small"), b":2\r\n")


def expiry(port):
    """Keys go when their time is over, also if nobody asks for them."""
    c = Client(port)
    expect(c.ask("FLUSHALL"), b"+OK\r\n")
    for i in range(2000):
        expect(c.ask("SET", f"short{i}", i, "PX", 100), b"+OK\r\n")
    expect(c.ask("SET", "long", 1, "EX", 1000), b"+OK\r\n")
    deadline = time.monotonic() + 60
    while c.ask("DBSIZE") != b":1\r\n":
        assert time.monotonic() < deadline, c.ask("DBSIZE")
        time.sleep(0.02)
    expect(c.ask("GET", "short0"), b"$-1\r\n")
    expect(c.ask("DEL", "long"), b":1\r\n")


def many(port):
    """Connections by the hundred, and names of their own."""
    clients = [Client(port) for _ in range(300)]
    for i, c in enumerate(clients):
        c.sock.sendall(frame("CLIENT", "SETNAME", f"n{i}") + frame("CLIENT", "GETNAME"))
    for i, c in enumerate(clients):
        expect(c.answer() + c.answer(), b"+OK\r\n$%d\r\nn%d\r\n" % (len(f"n{i}"), i))
    ids = {c.ask("CLIENT", "ID") for c in clients}
    assert len(ids) == 300
    for c in clients[::2]:
        c.close()
    for c in clients[1::2]:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()


def limited(port):
    """For a server with --max-memory 4M: what is too much is refused, the rest works."""
    c = Client(port)
    oom = b"-OOM not enough memory for this command\r\n"
    expect(c.ask("SET", "a", b"x" * 1000000), b"+OK\r\n")
    # Refused while it comes; the stream goes on behind it.
    c.sock.sendall(frame("SET", "b", b"x" * 20000000) + frame("PING"))
    expect(c.answer() + c.answer(), oom + b"+PONG\r\n")
    refused = 0
    for i in range(100):
        got = c.ask("SET", f"k{i}", b"x" * 100000)
        assert got in (b"+OK\r\n", oom), got
        refused += got == oom
    assert refused > 30, refused
    expect(c.ask("GET", "k0"), b"$100000\r\n" + b"x" * 100000 + b"\r\n")
    expect(c.ask("FLUSHALL"), b"+OK\r\n")
    expect(c.ask("SET", "k", b"x" * 100000), b"+OK\r\n")


SEQUENCE = """
PING | PING hello | PING a b | ECHO | ECHO hi | echo a b | QUUX | QUUX a b | GET | GET a b | SET a
SET a 1 | GET a | SET a 2 NX | SET b 2 NX | SET c 3 XX | SET a 3 XX | SET a 4 NX XX | MGET a b c
SET a 1 EX | SET a 1 EX 0 | SET a 1 EX -1 | SET a 1 EX x | SET a 1 PX 0 | SET a 1 EX 10 PX 10
SET a 1 EX 9223372036854775807 | SET a 1 PX 9223372036854775807 | SET a 1 QUX | SET a 1 EX 100 NX
SET a 1 KEEPTTL EX 10 | SET t 1 EX 1000 | TTL t | SET t 2 KEEPTTL | TTL t | SET t 3 | TTL t | DEL t
TTL a | TTL none | PTTL a | PTTL none | EXPIRE none 10 | EXPIRE a x | EXPIRE a | PEXPIRE a x
EXPIRE a 1000 | TTL a | PEXPIRE a 100000 | TTL a | SET a 1 | TTL a | EXPIRE a 0 | EXISTS a
EXPIRE b -1 | EXISTS b | EXPIRE a 9223372036854775807 | PEXPIRE a 9223372036854775807
DEL | DEL a b c | EXISTS | EXISTS a | SET a x | SET b y | EXISTS a b a none | DEL a a b
INCR n | INCR n | DECR n | DECRBY n 10 | INCRBY n 100 | INCRBY n x | INCRBY n 1.5 | INCRBY n | INCR
SET n 9223372036854775807 | INCR n | INCRBY n -1 | DECRBY n -9223372036854775808 | DECRBY n -5
SET n -9223372036854775808 | DECR n | INCRBY n -1 | INCRBY n 1 | SET n 01 | INCR n | SET n " 1"
INCR n | SET n 1e3 | INCR n | SET n "" | INCR n | SET n -0 | INCR n | DEL n
INCRBY n 9223372036854775808 | APPEND s abc | APPEND s def | GET s | APPEND s
APPEND s "" | GET s | MSET a 1 b 2 | MSET a 1 b | MSET | MGET | MGET a b none s | MSET a 3 a 4
GET a | LPUSH l | LPUSH l a b c | RPUSH l d e | LRANGE l 0 -1 | LRANGE l 1 2 | LRANGE l -2 -1
LRANGE l 5 10 | LRANGE l -100 100 | LRANGE l 3 1 | LRANGE l 0 x | LRANGE l 0 | LRANGE none 0 -1
LLEN l | LLEN none | LPOP l | RPOP l | LPOP l 0 | LPOP l 2 | LPOP none | LPOP none 1 | LPOP l -1
LPOP l x | LPOP l 1 2 | RPOP l 100 | EXISTS l | LLEN l | RPUSH l 1 | SADD s 1 | GET l | INCR l
APPEND l x | LPUSH a 1 | RPOP a | LRANGE a 0 -1 | LLEN a | HGET l x | SADD l x | HSET l a 1
SET l now-a-string | GET l | SADD set a | SADD set a | SADD set b c a | SCARD set | SCARD none
SADD set | SMEMBERS none | SPOP none | SPOP none 1 | SPOP none 0 | SPOP set -1 | SPOP set x
SPOP set 0 | SPOP set 1 2 | SPOP l | SMEMBERS l | SCARD l | HSET h a 1 | HSET h a 2 b 3 c 4
HSET h a | HSET h a 1 b | HGET h a | HGET h none | HGET none a | HGET h | HLEN h | HLEN none
HDEL h a none | HDEL h b c | EXISTS h | HDEL h x | HDEL h | HGETALL none | HSET l x y | HGETALL l
HLEN l | HDEL l x | MGET l h set | DBSIZE | DBSIZE x | SELECT 0 | SELECT 100 | SELECT x | SELECT
FLUSHALL x | FLUSHALL ASYNC | FLUSHALL SYNC | FLUSHALL | DBSIZE | CLIENT SETNAME me
CLIENT GETNAME | CLIENT SETNAME "a b" | CLIENT SETNAME "" | CLIENT GETNAME | CLIENT NONSENSE
CONFIG NONSENSE | COMMAND NONSENSE | CONFIG GET save | CONFIG GET appendonly | CONFIG GET xyzzy
HELLO 9 | HELLO x | KEYS | SET a 1 | KEYS a* | KEYS b* | KEYS [a-c] | KEYS \\\\a | RPUSH ab x
DEL ab | KEYS *
"""


def random_commands(rng):
    """Of the ones whose answers do not depend on chance or on the order in a table."""
    keys = [b"a", b"b", b"c", b"\x00\r\n", b"k" * 100]
    values = [b"", b"1", b"-7", b"x", b"9223372036854775800", bytes(range(256)), b"v" * 40000]
    ends = [b"0", b"1", b"-1", b"-3", b"7", b"x"]

    def key():
        return rng.choice(keys)

    def value():
        return rng.choice(values)

    table = [
        lambda: ("SET", key(), value()), lambda: ("GET", key()), lambda: ("DEL", key(), key()),
        lambda: ("SET", key(), value(), rng.choice(["NX", "XX"])),
        lambda: ("EXISTS", key(), key()), lambda: ("INCRBY", key(), value()),
        lambda: ("DECR", key()), lambda: ("APPEND", key(), value()),
        lambda: ("MSET", key(), value(), key(), value()), lambda: ("MGET", key(), key(), key()),
        lambda: ("LPUSH", key(), value(), value()), lambda: ("RPUSH", key(), value()),
        lambda: ("LPOP", key()), lambda: ("RPOP", key(), rng.choice(ends)),
        lambda: ("LRANGE", key(), rng.choice(ends), rng.choice(ends)), lambda: ("LLEN", key()),
        lambda: ("SADD", key(), value(), value()), lambda: ("SCARD", key()),
        lambda: ("HSET", key(), value(), value()), lambda: ("HGET", key(), value()),
        lambda: ("HDEL", key(), value()), lambda: ("HLEN", key()), lambda: ("DBSIZE",),
        lambda: ("EXPIRE", key(), rng.choice(["1000", "-1", "x"])), lambda: ("TTL", key()),
    ]
    return [rng.choice(table)() for _ in range(400)]


def agree(command, a, b):
    """Of a time that is left a minute may have gone between the one and the other."""
    if command[0] in ("TTL", "PTTL") and a[1:2].isdigit() and b[1:2].isdigit():
        unit = 1000 if command[0] == "PTTL" else 1
        return abs(int(a[1:]) - int(b[1:])) <= 60 * unit
    return a == b


def same(port, path):
    """The same bytes out for the same bytes in."""
    ours, theirs = Client(port), Client(path)
    lines = [part for line in SEQUENCE.strip().split("\n") for part in line.split("|")]
    plain = [shlex.split(line) for line in lines if line.strip()]
    chance = [random_commands(random.Random(seed)) for seed in range(30)]
    differ = 0
    for command in itertools.chain([("FLUSHALL",)], plain, [("FLUSHALL",)], *chance):
        a, b = ours.ask(*command), theirs.ask(*command)
        if not agree(command, a, b):
            differ += 1
            print(f"{command!r:.100}: {a[:200]!r}, redis-server: {b[:200]!r}")
    # Sets and hashes have no order.
    for command in [("SADD", "o", *range(100)), ("SMEMBERS", "o"), ("KEYS", "*"),
                    ("HSET", "p", *range(200)), ("HGETALL", "p")]:
        a, b = ours.ask(*command), theirs.ask(*command)
        if sorted(a.split(b"\r\n")) != sorted(b.split(b"\r\n")):
            differ += 1
            print(f"{command!r:.100}: {a[:200]!r}, redis-server: {b[:200]!r}")
    # As lines, and what nobody should send.
    for data in [b"ping\r\n", b"  PING  \n", b"ECHO 'a\\'b'\r\n", b"ECHO \"\\x41\\n\"\r\n",
                 b"\r\n\r\nPING\r\n", b"ECHO \"a\r\n", b"*x\r\n", b"*-1\r\nPING\r\n",
                 b"*1\r\n:1\r\n", b"*1\r\n$x\r\n", b"*1\r\n$-5\r\n", b"GET\r\n"]:
        a, b = exchange(port, data), exchange(path, data)
        if a != b:
            differ += 1
            print(f"{data!r}: {a!r}, redis-server: {b!r}")
    assert differ == 0, f"{differ} answers differ"


def main():
    if sys.argv[2] == "same":
        same(sys.argv[1], sys.argv[3])
    else:
        {f.__name__: f for f in (cut, malformed, garbage, huge, deaf, expiry, many, limited)}[
            sys.argv[2]](sys.argv[1])


if __name__ == "__main__":
    main()
