#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Builds what does not need liburing (lib/base, lib/arch, lib/core) for another
# CPU and runs the switch test on it in an emulator.
#
# Usage: tools/cross.sh [CPU]     CPU: aarch64 (default) or riscv64
set -eu
cd "$(dirname "$0")/.."

cpu=${1:-aarch64}
cc=$cpu-linux-gnu-gcc
[ -d "lib/arch/$cpu" ] || {
	echo "cross.sh: no lib/arch/$cpu" >&2
	exit 1
}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# shellcheck disable=SC2086 # CFLAGS is a list
find lib/base "lib/arch/$cpu" lib/core test/switch_plain.c -name '*.[cS]' \
	-exec "$cc" -std=gnu11 -O2 -g -fno-strict-aliasing -fasynchronous-unwind-tables \
	-Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -Ilib \
	${CFLAGS-} -pthread -static -o "$out/switch_plain" {} +
"qemu-$cpu" "$out/switch_plain"
