#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_uring_direct.sh URING_DIRECT HELLO
. "$(dirname "$0")/lib.sh"
count=$(realpath "$1") || exit 1

need_ring "$2"
cd "$tmp" || exit 1

# agrees FILE...: the lines and bytes are those of wc(1).
agrees() {
	exits_with 0 "$count" "$@"
	wc -lc "$@" | awk '{ print $1, $2, $3 }' >expected
	awk '{ print $1, $2, $3 }' stdout >found
	check "the counts for $*" -- diff expected found
	check "$*": quiet -- [ ! -s stderr ]
}

# Around the 4 MiB that are read in at once; with and without a line at the end.
: >empty
printf 'a\nb\nc' >open-ended
yes 'some line' | head -c 4194304 >window
yes 'some line' | head -c 4194305 >longer
yes '' | head -c 9000000 >newlines
agrees empty
agrees open-ended
agrees window
agrees longer
agrees empty open-ended window longer newlines
exits_with 0 "$count" -w 1 longer
exits_with 0 "$count" --workers 64 longer
for i in $(seq 200); do
	seq "$i" >"numbers-$i"
done
# More than may be open at once: a subshell, for the limit is for good.
(
	ulimit -n 100
	agrees numbers-*
	exit "$failures"
) || fail 'few descriptors are enough'

# The report is what was printed, in the place of what there was.
yes | head -n 10000 >report
exits_with 0 "$count" -o report numbers-*
check the report is whole -- cmp stdout report

# fails WORDS ARGUMENT...
fails() {
	words=$1
	shift
	exits_with 1 "$count" "$@"
	check "'$words' in: $(cat stderr)" -- grep -q "$words" stderr
}
fails 'missing: No such file' missing
fails 'missing: No such file' longer missing newlines
mkdir directory
fails 'mmap directory: No such device' directory
fails 'missing/report: No such file' -o missing/report longer
fails 'write /dev/full: No space left' -o /dev/full longer
fails 'write /dev/null: Invalid argument' -o /dev/null longer
(
	trap '' XFSZ
	ulimit -f 1
	"$count" -o limited numbers-* >/dev/null 2>stderr
	[ $? = 1 ]
) || fail 'a report that may not grow is no failure'
check it says so: "$(cat stderr)" -- grep -q 'write limited: No space left' stderr

# The command line.
exits_with 0 "$count" --help
check --help prints the usage -- grep -q '^Usage: uring_direct' stdout
for wrong in '' '-w 0 longer' '-w 65 longer' '-w x longer' '-w' '-o' '--no longer'; do
	# shellcheck disable=SC2086 # a list
	exits_with 2 "$count" $wrong
	check "a complaint about '$wrong'" -- [ -s stderr ]
done

finish
