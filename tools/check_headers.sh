#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Compiles each public header alone, twice in a row, as C11 and as C++17. CC and
# CXX name the compilers; without a C++ compiler that half is left out.
set -eu
cd "$(dirname "$0")/.."

flags='-D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Iinclude'
flags="$flags $(pkg-config --cflags liburing | sed 's/-I */-isystem /g')"
bad=0

# compiles HEADER COMPILER FLAGS...
compiles() {
	header=$1
	shift
	printf '#include <%s>\n#include <%s>\nextern int not_empty;\n' "$header" "$header" |
		"$@" - || bad=1
}

# shellcheck disable=SC2086 # lists
for path in include/eio/*.h; do
	compiles "${path#include/}" ${CC:-cc} -std=c11 $flags -x c
	if command -v ${CXX:-c++} >/dev/null; then
		compiles "${path#include/}" ${CXX:-c++} -std=c++17 $flags -x c++
	fi
done
exit $bad
