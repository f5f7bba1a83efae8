#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
Connections themselves: what opening, accepting and closing one costs the echo server, and what an
idle one keeps in memory, before and after it had an echo; beside bare servers.

With the load on another core than the servers, a figure depends on how often the server finds
nothing to do and sleeps, which depends on the load's speed: what it tells is rounds as much as work.
On one core each side runs until it has nothing left to do, so that every server is woken about as
often, and it tells the work.
"""
import argparse
import os
import socket

import peers


def served(text):
    return int(text.split("served=")[1].split()[0])


def cpu_per_connection(server, tool, in_flight, seconds):
    before = server.cpu_ns()
    count = served(peers.load([tool, "127.0.0.1", str(server.port), str(in_flight), str(seconds)]))
    return (server.cpu_ns() - before) / count


def idle_bytes(server, count):
    """Resident bytes for each of count connections: silent ones, and after one echo each."""
    before = server.resident()
    conns = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    conns[-1].sendall(b"x")
    conns[-1].recv(1)
    silent = (server.resident() - before) / count
    for conn in conns:
        conn.sendall(b"x")
    for conn in conns[:-1]:
        conn.recv(1)
    conns[-1].recv(1)
    echoed = (server.resident() - before) / count
    for conn in conns:
        conn.close()
    return silent, echoed


def named(text):
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError("not NAME=PATH")
    return name, [path, "0"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="a release build's folder")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--one-core", action="store_true", help="the load on the servers' core")
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        type=named,
        metavar="NAME=PATH",
        help="another server, started as PATH 0; repeatable",
    )
    parser.add_argument("--idle", type=int, default=10000, help="idle connections (default 10000)")
    args = parser.parse_args()
    peers.need("taskset")
    if args.one_core:
        peers.LOAD_CPU = peers.SERVER_CPU
    bench, examples = os.path.join(args.build, "bench"), os.path.join(args.build, "examples")
    peers.allow_connections(args.idle)

    tool = os.path.join(bench, "connect_load")
    raw = os.path.join(bench, "echo_raw")
    argvs = [("eio", [os.path.join(examples, "echo")])]
    argvs += [(mode, [raw, mode, "0"]) for mode in ("epoll", "uring", "multishot")]
    argvs += args.server
    servers = [peers.Server(name, argv) for name, argv in argvs]
    for in_flight in (1, 50, 1000):
        what = f"connect, echo, close, {in_flight} at a time"
        peers.compare(
            what,
            "ns CPU",
            servers,
            lambda s, n=in_flight: cpu_per_connection(s, tool, n, args.seconds),
            args.rounds,
            1.0,
        )
    for server in servers:
        server.stop()
    for name, argv in argvs:
        server = peers.Server(name, argv)
        silent, echoed = idle_bytes(server, args.idle)
        print(f"{args.idle} idle connections, {name}: {silent:.0f} bytes each, {echoed:.0f} after an echo")
        server.stop()


if __name__ == "__main__":
    main()
