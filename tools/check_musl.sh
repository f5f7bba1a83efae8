#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Compiles lib/ with musl's headers. Those of liburing and the kernel come from
# the system, after musl's own, and nothing else of the system's does.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# where HEADER: the directory that the system's compiler finds it in
where() {
	echo "#include <$1>" | ${CC:-cc} -E - | sed -n "s|^# 1 \"\(.*\)/$1\".*|\1|p" | head -n 1
}

mkdir "$out/include"
for header in liburing.h liburing/compat.h linux/stat.h asm/types.h asm-generic/types.h; do
	dir=$(where $header)
	[ -n "$dir" ] || {
		echo "check_musl.sh: no <$header>" >&2
		exit 1
	}
	ln -s "$dir/${header%%/*}" "$out/include/"
done

bad=0
# shellcheck disable=SC2044,SC2086 # names without spaces; CFLAGS is a list
for source in $(find lib -name '*.c'); do
	musl-gcc -std=gnu11 -O2 -fno-strict-aliasing -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -Ilib \
		-idirafter "$out/include" ${CFLAGS-} -c -o "$out/object.o" "$source" || bad=1
done
exit $bad
