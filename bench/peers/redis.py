# SPDX-License-Identifier: ISC
"""
GET and SET: the server's CPU time per request, keyval's beside redis-server's.

Usage: redis.py KEYVAL [--rounds N] [--requests N] [--connections N]

KEYVAL is examples/keyval/keyval of a release build. redis-benchmark asks for one of 100,000
keys at random, of which nearly all are there before anything is measured; values have 3 bytes. redis-server
runs with one thread and writes nothing to disk. Ends with status 77 where it is not installed.
"""
import argparse
import tempfile

import peers

KEYS = 100_000
WANTED = 0.833  # of redis-server's time per request: 1.2 times its requests in the same time
PLAN = [("GET", 1), ("SET", 1), ("GET", 16), ("SET", 16)]  # test, requests in a pipeline


def benchmark(server, test, pipeline, requests, connections):
    out = peers.load(
        ["redis-benchmark", "-p", str(server.port), "-t", test.lower(), "-c", str(connections),
         "-P", str(pipeline), "-n", str(requests), "-r", str(KEYS), "-q"])
    if "requests per second" not in out or "rror" in out:
        raise SystemExit(f"{server.name}: {out}")


def cpu_per_request(server, test, pipeline, requests, connections):
    before = server.cpu_ns()
    benchmark(server, test, pipeline, requests, connections)
    return (server.cpu_ns() - before) / requests


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("keyval")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=100_000, help="of one measurement")
    parser.add_argument("--connections", type=int, default=50)
    args = parser.parse_args()
    peers.need("redis-server", "redis-benchmark", "taskset")

    with tempfile.TemporaryDirectory() as directory:
        port = peers.free_port()
        servers = [
            peers.Server("keyval", [args.keyval, "--port", "0"]),
            peers.Server("redis-server",
                         ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no",
                          "--io-threads", "1", "--dir", directory, "--logfile", "log"],
                         port=port),
        ]
        try:
            for server in servers:
                benchmark(server, "SET", 16, 3 * KEYS, args.connections)
            for test, pipeline in PLAN:
                requests = args.requests * (4 if pipeline > 1 else 1)

                def measure(server):
                    return cpu_per_request(server, test, pipeline, requests, args.connections)

                peers.compare(f"{test}, pipeline of {pipeline}", "ns/request", servers, measure,
                              args.rounds, WANTED)
        finally:
            for server in servers:
                server.stop()


main()
