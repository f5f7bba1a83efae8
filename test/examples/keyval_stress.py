# SPDX-License-Identifier: ISC
"""
Clients that work on the same keys at once, in long pipelines, so that a server with several domains
has requests for a key in all of them. What each was told, and what is left, has to fit together.

Usage: keyval_stress.py PORT TEST
"""
import collections
import random
import sys
import threading
import time

from raw_resp import Client, expect, frame

CLIENTS = 8
ROUNDS = 4
LENGTH = 1500  # commands in a pipeline
LARGE = 40000  # bytes: received, kept and sent without a copy


def together(port, work):
    """Runs work(client, number) for all clients at once: what they return."""
    results, failures = [None] * CLIENTS, []
    start = threading.Barrier(CLIENTS)

    def run(i):
        client = Client(port)
        try:
            start.wait(60)
            results[i] = work(client, i)
        except BaseException as e:
            failures.append(e)
        client.close()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def pipelines(client, make):
    """Sends rounds of commands, each as a whole: pairs of command and answer."""
    for _ in range(ROUNDS):
        commands = [make() for _ in range(LENGTH)]
        client.sock.sendall(b"".join(frame(*c) for c in commands))
        for command in commands:
            yield command, client.answer()


def told(client, what):
    """A number of INFO."""
    info = client.ask("INFO").decode()
    return int(info.split(what + ":")[1].split("\r\n")[0])


def number(answer):
    assert answer.startswith(b":"), answer
    return int(answer[1:])


def eventually(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


def counters(port):
    """Every increment counts, whoever made it, and every command and client is counted."""
    keys = [f"n{i}" for i in range(4)]

    def work(client, i):
        rng = random.Random(i)
        added = collections.Counter()
        for (name, key, *rest), answer in pipelines(
                client, lambda: rng.choice([("INCR", rng.choice(keys)),
                                            ("DECRBY", rng.choice(keys), rng.randrange(-9, 9))])):
            number(answer)
            added[key] += 1 if name == "INCR" else -rest[0]
        return added

    c = Client(port)
    commands = told(c, "total_commands_processed")
    total = sum(together(port, work), collections.Counter({key: 1000 for key in keys}))
    for key in keys:
        expect(c.ask("INCRBY", key, 1000), b":%d\r\n" % total[key])
    assert told(c, "total_commands_processed") - commands == CLIENTS * ROUNDS * LENGTH + 5
    eventually(lambda: told(c, "connected_clients") == 1)


def items(port):
    """What is pushed or added is popped once or still there."""
    def work(client, i):
        rng = random.Random(i)
        serial = iter(range(10 ** 9))
        table = [lambda: (rng.choice(["RPUSH", "LPUSH"]), "list", f"{i}.{next(serial)}"),
                 lambda: (rng.choice(["LPOP", "RPOP"]), "list"),
                 lambda: ("SADD", "set", f"{i}.{next(serial)}"), lambda: ("SPOP", "set")]
        added, taken = collections.Counter(), collections.Counter()
        for command, answer in pipelines(client, lambda: rng.choice(table)()):
            if len(command) == 3:
                assert number(answer) > 0
                added[command[1], command[2].encode()] += 1
            elif answer != b"$-1\r\n":
                taken[command[1], answer.split(b"\r\n")[1]] += 1
        return added, taken

    added, taken = (sum(part, collections.Counter()) for part in zip(*together(port, work)))
    c = Client(port)
    for key, command in ("list", ("LRANGE", "list", 0, -1)), ("set", ("SMEMBERS", "set")):
        for item in c.ask(*command).split(b"\r\n")[2::2]:
            taken[key, item] += 1
    assert added == taken, f"lost {added - taken}, twice {taken - added}"


def pairs(port):
    """Commands of several keys are done as a whole, and see others' as a whole."""
    names = [(f"{i}.left", f"{i}.right") for i in range(5)]

    def work(client, i):
        rng = random.Random(i)

        def pair():
            return rng.sample(rng.choice(names), 2)

        def mset():
            a, b = pair()
            value = rng.randrange(10 ** 6)
            return "MSET", a, value, b, value

        table = [mset, mset, lambda: ("MGET", *pair()), lambda: ("MGET", *pair()),
                 lambda: ("DEL", *pair()), lambda: ("EXISTS", *pair()), lambda: ("DBSIZE",)]
        rare = [lambda: ("FLUSHALL",), lambda: ("KEYS", "*")]
        for command, answer in pipelines(
                client, lambda: rng.choice(table if rng.randrange(50) else rare)()):
            if command[0] == "MGET":
                _, *values, _ = answer.split(b"\r\n")
                assert values[:len(values) // 2] == values[len(values) // 2:], answer
            elif command[0] == "KEYS":
                assert int(answer.split(b"\r\n")[0][1:]) % 2 == 0, answer
            elif command[0] in ("DEL", "EXISTS", "DBSIZE"):
                assert number(answer) % 2 == 0, (command, answer)
            else:
                expect(answer, b"+OK\r\n")

    expect(Client(port).ask("FLUSHALL"), b"+OK\r\n")
    together(port, work)


def values(port):
    """A value is one that was set, whole, also where it is replaced while it is sent."""
    keys = ["v0", "v1"]

    def work(client, i):
        rng = random.Random(i)
        letter = b"abcdefgh"[i:i + 1]
        table = [lambda: ("SET", rng.choice(keys), letter * LARGE, "PX", rng.randrange(1, 20)),
                 lambda: ("SET", rng.choice(keys), letter * rng.randrange(1, 100)),
                 lambda: ("DEL", rng.choice(keys)), lambda: ("EXPIRE", rng.choice(keys), -1)]
        table += [lambda: ("GET", rng.choice(keys))] * 6
        for _ in range(10 * ROUNDS):
            commands = [rng.choice(table)() for _ in range(40)]
            # Answers are large: they have to be read while the rest is sent.
            sender = threading.Thread(
                target=client.sock.sendall, args=(b"".join(frame(*c) for c in commands),))
            sender.start()
            for command in commands:
                answer = client.answer()
                if command[0] == "GET" and answer != b"$-1\r\n":
                    value = answer.split(b"\r\n")[1]
                    assert value == value[:1] * len(value), value[:100]
                assert answer[:1] in b"+:$", answer
            sender.join()

    together(port, work)
    # Only appended to, a value has all there ever was, in pieces.
    expect(Client(port).ask("SET", "log", b""), b"+OK\r\n")
    together(port, lambda client, i: [
        number(answer) for _, answer in pipelines(client, lambda: ("APPEND", "log", f"<{i}>"))])
    log = Client(port).ask("GET", "log").split(b"\r\n")[1]
    for i in range(CLIENTS):
        assert log.count(b"<%d>" % i) == ROUNDS * LENGTH, i
    assert len(log) == 3 * CLIENTS * ROUNDS * LENGTH


def spare(port):
    """Memory of requests that were many at a time goes when they were, whichever domain had them."""
    crowd = [Client(port) for _ in range(60)]
    c = Client(port)
    before = told(c, "used_memory")
    for client in crowd:
        client.sock.sendall(b"*1\r\n$4\r\nPI")
    eventually(lambda: told(c, "used_memory") > before + 60 * 20000)
    for client in crowd:
        client.sock.sendall(b"NG\r\n")
        expect(client.answer(), b"+PONG\r\n")
    eventually(lambda: told(c, "used_memory") < before + 200000)


if __name__ == "__main__":
    {f.__name__: f for f in (counters, items, pairs, values, spare)}[sys.argv[2]](sys.argv[1])
