#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Compiles and runs the C blocks of a document and compares what they print.

Usage: tools/check_doc.py DOCUMENT LIBRARY INCLUDEDIR COMPILER [FLAG...]

A ```c block with a main function is a program as it stands. One with a function
"program" gets the headers below and a main that calls it by eio_mock_run. The ```text
block right after it is its standard output; without one it prints nothing. It ends with
status 0 and a quiet standard error, or, when an ```abort block follows instead, it aborts
with that as its last line there. A ```c no_run block, a server's say, is only compiled, and
```sh is for the reader to type. Any other fence is an error: nobody would check it.

Blocks that call eio_run are left out where io_uring cannot be had; then the status is 77.
"""
import concurrent.futures
import difflib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile

HEADERS = 'eio/eio.h', 'errno.h', 'stdio.h', 'stdlib.h', 'string.h'
MAIN = '''
int main(void)
{
	int rc = eio_mock_run(program, NULL);

	if (rc < 0)
		fprintf(stderr, "program: %s\\n", eio_err_name(rc));
	return rc < 0;
}
'''
PROBE = '''#include <eio/eio.h>
#include <stdio.h>
static int program(struct eio_env *env, void *arg) { return 0; }
static int without(const char *why, void *arg) { puts(why); return 77; }
int main(void)
{
	const struct eio_config config = {.fallback = without};

	return eio_run(&config, program, NULL);
}
'''
SECONDS = 60


class Block:
    def __init__(self, line, code, runs):
        self.line = line  # of its first line of code
        self.code = code
        self.runs = runs
        self.output = ''
        self.message = None  # of the abort
        self.needs_ring = runs and re.search(r'\beio_run\(', code) is not None


def fences(lines):
    """Yields line number, kind and text of each fenced block, and whether only blank lines
    lie between it and the one before."""
    kind = None
    adjacent = False
    for number, line in enumerate(lines, 1):
        fence = line.lstrip().startswith('```')
        if kind is None and fence:
            kind, start, text = line.strip()[3:], number + 1, []
        elif kind is not None and fence:
            yield start, kind, ''.join(text), adjacent
            kind, adjacent = None, True
        elif kind is not None:
            text.append(line)
        elif line.strip():
            adjacent = False
    if kind is not None:
        sys.exit(f'{sys.argv[1]}:{start}: the block does not end')


def parse(lines):
    blocks = []
    last = None
    for line, kind, text, adjacent in fences(lines):
        if kind in ('c', 'c no_run'):
            last = Block(line, text, kind == 'c')
            blocks.append(last)
        elif kind in ('text', 'abort') and last and adjacent:
            if kind == 'text':
                last.output = text
            else:
                last.message = text
            last = None
        elif kind != 'sh':
            sys.exit(f'{sys.argv[1]}:{line}: a "{kind}" block that nobody checks')
    if not blocks:
        sys.exit(f'{sys.argv[1]}: no blocks')
    return blocks


def whole_program(block, document):
    code = f'#line {block.line} "{document}"\n{block.code}'
    if re.search(r'\bint main\(', block.code):
        return code
    headers = ''.join(f'#include <{header}>\n' for header in HEADERS)
    return headers + code + MAIN


def difference(wanted, got):
    if wanted.splitlines() == got.splitlines():
        return 'the last line is not ended'
    return '\n'.join(difflib.unified_diff(wanted.splitlines(), got.splitlines(),
        'in the document', 'printed', lineterm=''))


def build(source, path, library, include, compiler):
    """What is wrong with it, or None."""
    with open(path + '.c', 'w') as f:
        f.write(source)
    directory = os.path.dirname(library)
    done = subprocess.run(
        compiler + ['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror',
            '-Wno-unused-parameter', '-I', include, path + '.c', '-o', path, library,
            '-Wl,-rpath,' + directory, '-pthread'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return f'it does not compile:\n{done.stdout}' if done.returncode else None


def complaints(stderr):
    """What a program should not have written: all but the dump of a deadlock, which has
    addresses in it."""
    return re.sub(r'^(domain \d+ \(mock.*|  .*)\n', '', stderr, flags=re.M)


def run(block, path):
    """What is wrong with it, or None."""
    try:
        done = subprocess.run([path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors='replace', timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f'it does not end within {SECONDS} s'
    wrong = []
    wanted_status = 0 if block.message is None else -signal.SIGABRT
    if done.returncode != wanted_status:
        wrong.append(f'status {done.returncode} instead of {wanted_status}\n{done.stderr}'.rstrip())
    elif block.message is None and complaints(done.stderr):
        wrong.append(f'it complains:\n{complaints(done.stderr)}')
    if done.stdout != block.output:
        wrong.append('wrong output\n' + difference(block.output, done.stdout))
    if block.message is not None:
        last_line = ''.join(done.stderr.splitlines(keepends=True)[-1:])
        if last_line != block.message:
            wrong.append('wrong message\n' + difference(block.message, last_line))
    return '\n'.join(wrong) or None


def has_ring(directory, *how):
    path = os.path.join(directory, 'probe')
    wrong = build(PROBE, path, *how)
    if wrong:
        sys.exit(f'the probe for io_uring: {wrong}')
    status = subprocess.run([path]).returncode
    if status not in (0, 77):
        sys.exit(f'the probe for io_uring gave {status}')
    return status == 0


def main():
    document, library, include, *compiler = sys.argv[1:]
    how = os.path.abspath(library), include, compiler
    name = os.path.relpath(document, os.path.join(os.path.dirname(__file__), '..'))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open(document) as f:
        blocks = parse(f.readlines())

    with tempfile.TemporaryDirectory() as tmp:
        left_out = []
        if any(block.needs_ring for block in blocks) and not has_ring(tmp, *how):
            left_out = [block for block in blocks if block.needs_ring]

        def check(block):
            path = os.path.join(tmp, f'line_{block.line}')
            wrong = build(whole_program(block, name), path, *how)
            if not wrong and block.runs and block not in left_out:
                wrong = run(block, path)
            return wrong

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(check, blocks))

    failed = [(block, wrong) for block, wrong in zip(blocks, results) if wrong]
    for block, wrong in failed:
        print(f'{name}:{block.line}: {wrong.rstrip()}')
    for block in left_out:
        print(f'{name}:{block.line}: compiled, not run: no io_uring here')
    print(f'{len(blocks)} blocks, {len(failed)} failed')
    return 1 if failed else 77 if left_out else 0


sys.exit(main())
