#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The file server beside nginx: CPU time per request.

Usage: http.py HTTPD [SECONDS] [ROUNDS]

Both serve the same files in one process without an access log and keep connections open for as
many requests as come; nginx uses sendfile. Neither keeps files open or remembers what it knows of
them (open_file_cache is off in nginx, and httpd has no such thing): every request opens its file.
wrk makes the load, and a request that fails ends the comparison. The memory of idle connections
is that of the whole process, after each of them has had an answer.
"""
import os
import re
import socket
import sys
import tempfile
import time

from peers import Server, allow_connections, compare, free_port, load, need

NGINX_CONF = """\
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
http {{
	access_log off;
	sendfile on;
	keepalive_timeout 600s;
	keepalive_requests 1000000000;
	default_type application/octet-stream;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	server {{ listen 127.0.0.1:{port}; root {dir}/root; }}
}}
"""

FILES = {"1k": 1024, "100k": 102400}
IDLE = 2000


def start_nginx(directory):
    port = free_port()
    conf = os.path.join(directory, "nginx.conf")
    with open(conf, "w") as f:
        f.write(NGINX_CONF.format(dir=directory, port=port))
    argv = ["nginx", "-p", directory, "-e", directory + "/error.log", "-c", conf]
    return Server("nginx", argv, port)


def cpu_per_request(server, connections, path, seconds):
    url = f"http://127.0.0.1:{server.port}{path}"
    before = server.cpu_ns()
    report = load(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url])
    spent = server.cpu_ns() - before
    failures = re.search(r"(Non-2xx.*|Socket errors.*)", report)
    if failures:
        sys.exit(f"{server.name}: {failures[0]}")
    requests = int(re.search(r"(\d+) requests in", report)[1])
    if requests == 0:
        sys.exit(f"{server.name}: no request was answered")
    return spent / requests


def resident_per_idle_connection(server):
    before = server.resident()
    connections = []
    for _ in range(IDLE):
        s = socket.create_connection(("127.0.0.1", server.port), 10)
        s.sendall(b"HEAD /1k HTTP/1.1\r\nHost: x\r\n\r\n")
        connections.append(s)
    for s in connections:
        if not s.recv(4096).startswith(b"HTTP/1.1 200 "):
            sys.exit(f"{server.name}: it did not answer")
    time.sleep(3)  # Buffers that nobody needs any more are given back within seconds.
    per_connection = (server.resident() - before) / IDLE
    for s in connections:
        s.close()
    return per_connection


def main():
    httpd = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    need("nginx", "wrk")
    allow_connections(IDLE)
    os.environ["PATH"] += ":/usr/sbin"

    with tempfile.TemporaryDirectory() as directory:
        root = os.path.join(directory, "root")
        os.mkdir(root)
        os.chmod(directory, 0o755)  # nginx's worker may be another user
        for name, size in FILES.items():
            with open(os.path.join(root, name), "wb") as f:
                f.write(os.urandom(size))
        servers = []
        try:
            servers.append(Server("httpd", [httpd, "--port", "0", root]))
            servers.append(start_nginx(directory))
            for server in servers:  # before the load leaves buffers behind
                figure = resident_per_idle_connection(server)
                print(f"{'resident per idle connection':<34} {server.name:<14} {figure:12.1f} bytes")
            for name, connections, target in (("1k", 50, 0.8), ("1k", 500, 0.8), ("100k", 50, 1)):
                compare(
                    f"{name} file, {connections} connections",
                    "ns/request",
                    servers,
                    lambda server: cpu_per_request(server, connections, "/" + name, seconds),
                    rounds,
                    target=target,
                )
        finally:
            for server in servers:
                server.stop()


if __name__ == "__main__":
    main()
