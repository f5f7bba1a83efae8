#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Checks that every exported function is known to the cancel sweep: either it is in the
# table of a sweep, test/*/test_*sweep.c, where an entry's name begins with those of the
# functions it calls, or it is in test/never_suspends.txt; not in both.
#
# Usage: tools/check_sweep.sh MAP [ROOT]
set -eu
export LC_ALL=C
map=$1
root=${2:-$(dirname "$0")/..}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

sed 's|/\*.*\*/||' "$map" | tr -s ' \t;{}' '\n' | grep '^eio_' | sort >"$out/exported"
sed 's/#.*//' "$root/test/never_suspends.txt" | tr -s ' \t' '\n' | grep . | sort >"$out/listed"
# An entry stands in a line of its own: {"eio_one, eio_two and what is special", …
sed -n 's/^\t{"\([^"]*\)",.*/\1/p' "$root"/test/*/test_*sweep.c | tr -s ' ,' '\n' |
	grep '^eio_' | sort -u >"$out/swept"

# complain WHAT: each line of the standard input is a name that is wrong.
complain() {
	sed "s/^/check_sweep.sh: $1: /" >>"$out/complaints"
}
sort -u "$out/swept" "$out/listed" >"$out/known"
comm -23 "$out/exported" "$out/known" |
	complain 'in no table of a sweep, nor in never_suspends.txt'
comm -12 "$out/swept" "$out/listed" | complain 'in a table, and in never_suspends.txt'
comm -13 "$out/exported" "$out/known" | complain 'not exported'
uniq -d "$out/listed" | complain 'twice in never_suspends.txt'
while read -r name; do
	grep -q "[^\"a-z0-9_]$name(" "$root"/test/*/test_*sweep.c || echo "$name"
done <"$out/swept" | complain 'in a table, but not called'
for list in exported listed swept; do
	[ -s "$out/$list" ] || echo "$list"
done | complain 'nothing found'
cat "$out/complaints"
[ ! -s "$out/complaints" ]
