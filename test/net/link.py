#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A link that loses and delays packets, between two devices that it makes.

Usage: link.py NEAR FAR LOSS DELAY_MS SEED

Prints "ready" when there are the devices; FAR may be moved to another namespace. Ends by
SIGTERM, telling how many packets came and how many of them it lost.

The kernel's own way would be netem, which is a module that many kernels do not have.
"""
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def device(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def end(signum, frame):
    raise SystemExit


def receive(fd):
    """A packet, or None when there is none or the device is not up."""
    try:
        return os.read(fd, 65536)
    except OSError:
        return None


def send(fd, packet):
    try:
        os.write(fd, packet)
    except OSError:
        pass  # down, or no room: one more that is lost


def main():
    near, far = device(sys.argv[1]), device(sys.argv[2])
    loss, delay = float(sys.argv[3]), float(sys.argv[4]) / 1000
    rng = random.Random(int(sys.argv[5]))
    other = {near: far, far: near}
    on_the_way = []
    came = lost = 0
    signal.signal(signal.SIGTERM, end)
    poll = select.poll()
    for fd in other:
        poll.register(fd, select.POLLIN)
    print("ready", flush=True)
    try:
        while True:
            wait = None
            if on_the_way:
                wait = max(0, on_the_way[0][0] - time.monotonic()) * 1000
            for fd, _ in poll.poll(wait):
                packet = receive(fd)
                if packet is None:
                    continue
                came += 1
                if rng.random() < loss:
                    lost += 1
                    continue
                # The count keeps the order of what is due at the same time.
                heapq.heappush(on_the_way, (time.monotonic() + delay, came, other[fd], packet))
            while on_the_way and on_the_way[0][0] <= time.monotonic():
                _, _, fd, packet = heapq.heappop(on_the_way)
                send(fd, packet)
    finally:
        print(f"came={came} lost={lost}", flush=True)


main()
