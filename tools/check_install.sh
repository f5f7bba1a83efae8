#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Installs a build into an empty directory, then builds a program against it with
# nothing but pkg-config's flags, shared and static, and runs both.
#
# Usage: tools/check_install.sh BUILDDIR
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
	echo "check_install.sh: $*" >&2
	exit 1
}

# run HOW COMMAND...: 77 means that io_uring is not to be had here.
run() {
	how=$1
	shift
	rc=0
	"$@" >"$out/output" || rc=$?
	case $rc in
	0) grep -qx 'consumer: ok' "$out/output" || fail "the $how program did not write its line" ;;
	77) echo "check_install.sh: no io_uring here, the $how program was built and refused" ;;
	*) fail "the $how program gave $rc" ;;
	esac
}

DESTDIR=$out meson install -C "$build" --quiet
pc=$(find "$out" -name eio.pc)
[ -n "$pc" ] || fail 'eio.pc was not installed'
# The tree is not where its prefix says, so this copy of eio.pc has to say where.
sed -i "s|^prefix=|prefix=$out|" "$pc"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir eio)

# shellcheck disable=SC2046 # lists of flags
${CC:-cc} -o "$out/shared" test/consumer/consumer.c $(pkg-config --cflags --libs eio)
readelf -d "$out/shared" | grep -q 'NEEDED.*\[libeio\.so\.0\]' || fail 'libeio.so.0 is not needed'
run shared env LD_LIBRARY_PATH="$libdir" "$out/shared"

# shellcheck disable=SC2046
${CC:-cc} -static -o "$out/static" test/consumer/consumer.c \
	$(pkg-config --static --cflags --libs eio)
run static "$out/static"
