# SPDX-License-Identifier: ISC
"""
Files: copying one that is in the page cache beside cp(1), and reading one past it beside fio.

Usage: files.py CP [--rounds N] [--mib N] [--blocks N] [--dir DIR]

CP is examples/cp of a release build. Copies go to a new file, which is removed before it reaches the
disk. What is read goes to /dev/null, as many blocks of 256 KiB at a time as fio has in flight.
Times are of the whole program for the copies; for reading, fio's is its own figure. The file is on
the disk of DIR (the working directory if it is not given), which must not be in memory. Ends with
status 77 where fio is not installed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from peers import need

BLOCK_KIB = 256


def make(path, mib):
    """A file of random bytes, on the disk."""
    with open(path, "wb") as f:
        for _ in range(mib):
            f.write(os.urandom(1 << 20))
        os.fsync(f.fileno())


def seconds(argv):
    start = time.monotonic()
    subprocess.run(argv, check=True)
    return time.monotonic() - start


def copying(program, source):
    def measure():
        target = source + ".copy"
        took = seconds([program, source, target])
        os.unlink(target)
        return took

    return measure


def reading(cp, source, blocks):
    return lambda: seconds([cp, "--direct", "-j", str(blocks), source, "/dev/null"])


def reading_fio(source, blocks):
    argv = ["fio", "--name=read", f"--filename={source}", "--rw=read", "--direct=1", "--ioengine=io_uring",
            f"--bs={BLOCK_KIB}k", f"--iodepth={blocks}", "--output-format=json", "--invalidate=0"]

    def measure():
        out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        return json.loads(out)["jobs"][0]["read"]["runtime"] / 1e3

    return measure


def compare(what, mib, ours, theirs, rounds):
    """Both once a round, after once for nothing; prints the medians and how many times as fast ours is."""
    samples = {ours: [], theirs: []}
    for round_ in range(rounds + 1):
        for who in samples:
            took = who[1]()
            if round_ > 0:
                samples[who].append(mib / took)
    speed = {who[0]: statistics.median(values) for who, values in samples.items()}
    ratio = statistics.median(a / b for a, b in zip(samples[ours], samples[theirs]))
    for name, value in speed.items():
        print(f"{what:<28} {name:<8} {value:8.0f} MiB/s")
    print(f"{what:<28} {ours[0]} is {ratio:.3f} times as fast as {theirs[0]}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cp")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--dir", default=".")
    args = parser.parse_args()

    need("cp", "fio")
    with tempfile.TemporaryDirectory(dir=args.dir) as where:
        source = os.path.join(where, "file")
        make(source, args.mib)
        compare("copy, in the page cache", args.mib, ("eio", copying(args.cp, source)),
                ("cp", copying("cp", source)), args.rounds)
        if subprocess.run([args.cp, "--direct", source, "/dev/null"], check=False).returncode != 0:
            sys.exit("the file system cannot go past the page cache")
        compare("read past the page cache", args.mib, ("eio", reading(args.cp, source, args.blocks)),
                ("fio", reading_fio(source, args.blocks)), args.rounds)


if __name__ == "__main__":
    main()
