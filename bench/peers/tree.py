# SPDX-License-Identifier: ISC
"""
Walking a tree whose names and files are in the kernel's caches: examples/search beside grep -r, and
examples/usage beside du.

Usage: tree.py BUILD [--files N] [--rounds R]

BUILD is a release build. The trees, of small files, are made in a directory for temporary files and
removed: one with a hundred files in each directory, one with a tenth of them all. Programs take
turns in every round; what is compared is the time that passes and the CPU time of all threads, as
medians. The output goes to a file: where it goes to /dev/null grep stops at the first match.
"""
import argparse
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

import peers

WORDS = 2000


def make_tree(root, directories, files):
    """Files of up to 40 lines; one of a hundred has the word that is looked for."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9)))
             for _ in range(WORDS)]
    lines = [" ".join(chance.choices(words, k=8)) + "\n" for _ in range(WORDS)]
    for d in range(directories):
        directory = root / f"directory-{d}"
        directory.mkdir(parents=True)
        for f in range(files // directories):
            text = "".join(chance.choices(lines, k=chance.randint(1, 40)))
            if chance.random() < 0.01:
                text += "the needle is here\n"
            (directory / f"file-{f}.txt").write_text(text)


def run(argv, output):
    """Seconds that passed, and of CPU time."""
    with open(output, "wb") as out:
        begin = time.monotonic()
        process = subprocess.Popen(argv, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        passed = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{argv[0]}: status {process.returncode}")
    return passed, used.ru_utime + used.ru_stime


def compare(what, programs, rounds, scratch):
    """programs: names and argument lists, the peer last."""
    samples = {name: [] for name, _ in programs}
    for i in range(rounds + 1):
        for name, argv in programs:
            sample = run(argv, scratch)
            if i > 0:  # the first round fills the caches
                samples[name].append(sample)
    medians = {name: [statistics.median(column) for column in zip(*values)]
               for name, values in samples.items()}
    peer = medians[programs[-1][0]]
    for name, (wall, cpu) in medians.items():
        print(f"{what:<24} {name:<14} {wall * 1e3:8.1f} ms  {cpu * 1e3:8.1f} ms of CPU  "
              f"{wall / peer[0]:.2f} and {cpu / peer[1]:.2f} of {programs[-1][0]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    peers.need("grep", "du")
    os.environ["LC_ALL"] = "C"
    search = str(args.build / "examples/search/search")
    usage = str(args.build / "examples/usage")

    with tempfile.TemporaryDirectory() as directory:
        top = pathlib.Path(directory)
        for shape, directories in [("small", max(args.files // 100, 1)), ("large", 10)]:
            tree = top / shape
            make_tree(tree, directories, args.files)
            compare(f"search, {shape} directories",
                    [("search", [search, "-F", "needle", str(tree)]),
                     ("search -t 1", [search, "-t", "1", "-F", "needle", str(tree)]),
                     ("grep -rF", ["grep", "-rF", "needle", str(tree)])],
                    args.rounds, top / "output")
            compare(f"usage, {shape} directories",
                    [("usage", [usage, "-s", str(tree)]), ("du", ["du", "-sk", str(tree)])],
                    args.rounds, top / "output")


main()
