#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Builds the fuzzers with clang's libFuzzer and sanitizers, and runs each for a while, beginning
# with the inputs in corpus/. What makes one fail is printed, and also left beside the corpus
# that was made, if that is to be kept. Without clang and its libraries: 77.
#
#     EIO_FUZZ_SECONDS   how long each (60)
#     EIO_FUZZ_KEEP      a directory for what is built and found, kept (a temporary one)
#
# Usage: run.sh [FUZZER...]
set -eu
cd "$(dirname "$0")/../.."
seconds=${EIO_FUZZ_SECONDS:-60}
flags='-std=gnu11 -g -O1 -D_GNU_SOURCE -DEIO_DEBUG -fno-strict-aliasing
	-fsanitize=address,undefined -fno-sanitize-recover=undefined
	-Iinclude -Ilib -Itest -Iexamples'
flags="$flags $(pkg-config --cflags liburing)"

if [ "${EIO_FUZZ_KEEP:-}" ]; then
	out=$EIO_FUZZ_KEEP
	mkdir -p "$out"
else
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out/objects"

echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n > 0 ? 0 : 0; }' \
	>"$out/probe.c"
if ! clang -fsanitize=fuzzer,address,undefined "$out/probe.c" -o "$out/probe" 2>/dev/null; then
	echo 'run.sh: clang with libFuzzer and the sanitizers is not here' >&2
	exit 77
fi

# The library, instrumented.
# shellcheck disable=SC2086 # a list
for source in $(find lib -name '*.c') "lib/arch/$(uname -m)/switch.S"; do
	echo "$source -o $out/objects/$(echo "$source" | tr / _).o"
done | xargs -P "$(nproc)" -n 3 clang $flags -fsanitize=fuzzer-no-link -c

# fuzz NAME LENGTH SOURCE...: with inputs of at most LENGTH bytes.
fuzz() {
	name=$1
	length=$2
	shift 2
	# shellcheck disable=SC2046,SC2086 # lists
	clang $flags -fsanitize=fuzzer "$@" "$out"/objects/*.o \
		$(pkg-config --libs liburing) -lpthread -o "$out/$name"
	mkdir -p "$out/found/$name"
	echo "$name:"
	"$out/$name" -max_len="$length" -max_total_time="$seconds" -print_final_stats=1 \
		-verbosity=0 -timeout=20 -artifact_prefix="$out/found/$name-" \
		"$out/found/$name" "test/fuzz/corpus/$name"
}

[ $# -gt 0 ] || set -- reader writer http
for fuzzer; do
	case $fuzzer in
	reader) fuzz reader 256 test/fuzz/reader.c ;;
	writer) fuzz writer 200 test/fuzz/writer.c ;;
	http) fuzz http 300 test/fuzz/http.c examples/http_parse.c ;;
	*)
		echo "run.sh: no fuzzer $fuzzer" >&2
		exit 2
		;;
	esac
done
