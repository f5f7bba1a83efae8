#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The proxy beside nginx's and socat: CPU time of a stream in one direction, and of short requests,
with the same upstream and the same load for all.
"""
import argparse
import os
import subprocess
import tempfile
import time

import peers

NGINX = """
daemon off;
worker_processes 1;
error_log /dev/null;
pid {dir}/pid;
include /etc/nginx/modules-enabled/*.conf;
events {{
    worker_connections 4096;
}}
stream {{
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_pass 127.0.0.1:{upstream};
    }}
}}
"""


class Proxy(peers.Server):
    """A server that may fork for each connection."""

    def is_at_rest(self):
        """Have those of connections ended?"""
        try:
            return len(self._pids()) <= self.processes
        except FileNotFoundError:
            return False

    def cpu_ns(self):
        """Also that of processes that have ended."""
        until = time.monotonic() + 10
        while not self.is_at_rest() and time.monotonic() < until:
            time.sleep(0.01)
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ended = (int(fields[13]) + int(fields[14])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        return super().cpu_ns() + ended


def start(build, upstream, folder):
    proxies = [Proxy("eio", [os.path.join(build, "examples", "proxy"), "0", str(upstream)])]
    config, port = os.path.join(folder, f"nginx-{upstream}.conf"), peers.free_port()
    with open(config, "w") as f:
        f.write(NGINX.format(dir=folder, port=port, upstream=upstream))
    quiet = {"stderr": subprocess.DEVNULL}
    proxies.append(Proxy("nginx", ["nginx", "-e", "/dev/null", "-c", config], port, **quiet))
    port = peers.free_port()
    argv = ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,backlog=4096,fork", f"TCP:127.0.0.1:{upstream}"]
    proxies.append(Proxy("socat", argv, port, **quiet))
    for proxy in proxies:
        proxy.processes = 2 if proxy.name == "nginx" else 1
    return proxies


def stop(proxies):
    for proxy in proxies:
        proxy.stop()


def cpu_per_gb(proxy, tool, upstream, conns, mib):
    before = proxy.cpu_ns()
    said = peers.load([tool, str(proxy.port), str(upstream), str(conns), str(mib // conns)])
    moved = int(said.split("bytes=")[1].split()[0])
    return (proxy.cpu_ns() - before) / 1e6 / (moved / 1e9)


def cpu_per_request(proxy, tool, conns, size, seconds):
    before = proxy.cpu_ns()
    said = peers.load([tool, "127.0.0.1", str(proxy.port), str(conns), str(size), str(seconds)])
    return (proxy.cpu_ns() - before) / int(said.split("total=")[1].split()[0])


def compare_streams(args, bench, folder):
    upstream = peers.free_port()
    proxies = start(args.build, upstream, folder)
    tool = os.path.join(bench, "stream_load")
    for conns in (1, 8):
        peers.compare(
            f"stream, {conns} connections",
            "ms CPU/GB",
            proxies,
            lambda p, n=conns: cpu_per_gb(p, tool, upstream, n, args.mib),
            args.rounds,
            "< 1",
        )
    stop(proxies)


def compare_requests(args, bench, folder):
    echo = peers.Server("echo", [os.path.join(bench, "echo_raw"), "epoll", "0"])
    # The upstream is load: it does not share the proxies' core.
    os.sched_setaffinity(echo.process.pid, {peers.LOAD_CPU})
    proxies = start(args.build, echo.port, folder)
    tool = os.path.join(bench, "echo_load")
    for size in (64, 1024, 16384):
        peers.compare(
            f"requests, 50 connections, {size} bytes",
            "ns CPU",
            proxies,
            lambda p, n=size: cpu_per_request(p, tool, 50, n, args.seconds),
            args.rounds,
            "< 1",
        )
    stop(proxies)
    echo.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="a release build's folder")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=1024, help="mebibytes for a figure (default 1024)")
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    peers.need("nginx", "socat", "taskset")
    os.environ["PATH"] += ":/usr/sbin"
    bench = os.path.join(args.build, "bench")
    with tempfile.TemporaryDirectory() as folder:
        compare_streams(args, bench, folder)
        compare_requests(args, bench, folder)


if __name__ == "__main__":
    main()
