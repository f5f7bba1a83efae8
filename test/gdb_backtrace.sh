#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Backtraces out of fibers, running and suspended, end where the fiber began. Without gdb,
# without Python in it, or without leave to trace: skipped.
#
# Usage: test/gdb_backtrace.sh SWITCH_PLAIN
set -eu

command -v gdb >/dev/null || exit 77
gdb -nx -batch -ex 'python pass' 2>/dev/null || exit 77
# It would ask for more symbols, and sanitizers would not let a tracer look for leaks.
unset DEBUGINFOD_URLS
ASAN_OPTIONS=detect_leaks=0 exec gdb -nx -batch \
	-x "$(dirname "$0")/gdb_backtrace.py" "$1" </dev/null
