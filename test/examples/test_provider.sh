#!/bin/sh
# SPDX-License-Identifier: ISC
#
# examples/provider: what comes out of its filters is what went in, as they are to change it,
# whatever the two ends are.
#
# Usage: test_provider.sh PROVIDER HELLO
. "$(dirname "$0")/lib.sh"
provider=$1

need_ring "$2"

exits_with 0 "$provider" --help
grep -q '^Usage: provider' "$tmp/stdout" || fail 'no usage on --help'
for wrong in --what '--rate' '--rate x' '--rate 0' '--rate 12x' '--rate 3000000000' extra; do
	# shellcheck disable=SC2086
	exits_with 2 "$provider" $wrong </dev/null
	grep -q '^Usage' "$tmp/stderr" || fail "no usage on $wrong"
done

seq 30000 | sed 's/$/ is a Number, z and a/' >"$tmp/in"
tr '[:lower:]' '[:upper:]' <"$tmp/in" >"$tmp/upper"

# goes WANTED OPTION...: by files and by pipes, from either to either.
goes() {
	wanted=$1
	shift
	"$provider" "$@" <"$tmp/in" >"$tmp/out" || fail "file to file: $*"
	check "file to file: $*" -- cmp "$wanted" "$tmp/out"
	"$provider" "$@" <"$tmp/in" | cat >"$tmp/out"
	check "file to pipe: $*" -- cmp "$wanted" "$tmp/out"
	# shellcheck disable=SC2002
	cat "$tmp/in" | "$provider" "$@" >"$tmp/out"
	check "pipe to file: $*" -- cmp "$wanted" "$tmp/out"
	# shellcheck disable=SC2002
	cat "$tmp/in" | "$provider" "$@" | cat >"$tmp/out"
	check "pipe to pipe: $*" -- cmp "$wanted" "$tmp/out"
}

goes "$tmp/in"
for input in '' --input; do
	# shellcheck disable=SC2086
	goes "$tmp/upper" --upper $input
	# shellcheck disable=SC2086
	goes "$tmp/in" --rate 200000000 $input
	# shellcheck disable=SC2086
	goes "$tmp/upper" --rate 200000000 --upper $input
done

# milliseconds: by a clock that nobody sets, in steps of ten.
milliseconds() {
	sed 's/ .*/0/; s/\.//' /proc/uptime
}

# 40000 bytes at 100000 a second: the last sixteenth is moved after 0.33 s at the earliest.
for input in '' --input; do
	start=$(milliseconds)
	# shellcheck disable=SC2086
	head -c 40000 "$tmp/in" | "$provider" --rate 100000 $input >"$tmp/out"
	took=$(($(milliseconds) - start))
	[ $took -ge 320 ] || fail "40000 bytes at 100000 a second took $took ms"
	head -c 40000 "$tmp/in" | cmp - "$tmp/out" || fail "not what went in: --rate 100000 $input"
done

# Failures of the flow behind a filter come out as they are.
for filter in '' --upper '--rate 100000000' '--rate 100000000 --upper'; do
	# shellcheck disable=SC2086
	"$provider" $filter <"$tmp/in" >/dev/full 2>"$tmp/stderr"
	[ $? = 1 ] || fail "a full device is no failure: $filter"
	grep -q 'No space left on device' "$tmp/stderr" || fail "not told that it is full: $filter"
	# shellcheck disable=SC2086
	{ "$provider" $filter <"$tmp/in" 2>"$tmp/stderr"; echo $? >"$tmp/status"; } | head -c 10 >"$tmp/out"
	[ "$(cat "$tmp/status")" = 1 ] || fail "a closed pipe is no failure: $filter"
	grep -q 'Broken pipe' "$tmp/stderr" || fail "not told that the pipe is closed: $filter"
done
finish
