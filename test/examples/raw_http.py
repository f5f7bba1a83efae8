# SPDX-License-Identifier: ISC
"""Sends standard input to 127.0.0.1:PORT as it is and prints what comes until the end.

With a second argument, byte by byte. A reset, or no end within a minute, is a failure.
"""
import sys

from http_client import exchange

request = sys.stdin.buffer.read()
pieces = [request]
if len(sys.argv) > 2:
    pieces = [request[i : i + 1] for i in range(len(request))]
sys.stdout.buffer.write(exchange(int(sys.argv[1]), pieces))
