# SPDX-License-Identifier: ISC
"""
What the comparisons with other servers share.

A server runs pinned to one core and is alone on it; the load comes from the others. What is
compared is CPU time: that of every thread of the server and of the processes it forked, kernel
workers included, divided by what it did. Servers take turns in every round (A B A B ...), so that
what disturbs the machine meets them all; a ratio is that of two medians of the same run.
"""
import glob
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

SERVER_CPU = 1
LOAD_CPU = 0


def need(*programs):
    """Ends the program with status 77 if one of the programs is not here."""
    for name in programs:
        if shutil.which(name) is None and shutil.which("/usr/sbin/" + name) is None:
            print(f"{name} is not here", file=sys.stderr)
            sys.exit(77)


def allow_connections(count):
    """Raises the limit on descriptors, here and in what is started; ends the program if it is too low."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < count + 100:
        sys.exit(f"no more than {hard} descriptors")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server on loopback, from its start to stop()."""

    def __init__(self, name, argv, port=0, **popen):
        """With port 0 the server prints port=N once it listens, as the examples do."""
        self.name = name
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CPU)] + argv,
            stdout=subprocess.DEVNULL if port else subprocess.PIPE,
            text=True,
            **popen,
        )
        if port:
            self.port = port
            self._wait_for_port()
        else:
            line = self.process.stdout.readline()
            if not line.startswith("port="):
                sys.exit(f"{name}: it printed {line!r}, not its port")
            self.port = int(line[5:])

    def _wait_for_port(self):
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        sys.exit(f"{self.name}: it does not listen")

    def _pids(self):
        pids = [self.process.pid]
        for pid in pids:
            for path in glob.glob(f"/proc/{pid}/task/*/children"):
                with open(path) as f:
                    pids += [int(child) for child in f.read().split()]
        return pids

    def cpu_ns(self):
        """CPU time so far, of all threads that still run."""
        total = 0
        for pid in self._pids():
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                with open(path) as f:
                    total += int(f.read().split()[0])
        return total

    def resident(self):
        """Bytes in memory, of all processes."""
        pages = 0
        for pid in self._pids():
            with open(f"/proc/{pid}/statm") as f:
                pages += int(f.read().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def load(argv):
    """Runs a load generator on its core, for two minutes at most: its output."""
    argv = ["taskset", "-c", str(LOAD_CPU)] + argv
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout


def compare(what, unit, servers, measure, rounds, target=None):
    """
    Measures every server once a round; measure(server) gives the figure, less is better. Prints
    the medians and how the first server stands to each of the others.
    """
    samples = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            samples[server.name].append(measure(server))
    ours = statistics.median(samples[servers[0].name])
    for server in servers:
        values = samples[server.name]
        line = f"{what:<34} {server.name:<14} {statistics.median(values):12.1f} {unit}"
        line += f"  ({min(values):.1f} to {max(values):.1f})"
        if server is not servers[0]:
            ratio = ours / statistics.median(values)
            line += f"  {servers[0].name} is {ratio:.3f} of it"
            if target is not None:
                line += f", wanted {target}"
        print(line, flush=True)
