#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Checks that the shared library exports exactly what the public headers declare,
# that the version script lists exactly the same, and that each has a version.
#
# Usage: tools/check_symbols.sh LIBRARY MAP
set -eu
export LC_ALL=C
root=$(dirname "$0")/..
library=$1
map=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

without_comments() {
	awk '
	{ text = text $0 "\n" }
	END {
		while (start = index(text, "/*")) {
			rest = substr(text, start + 2)
			text = substr(text, 1, start - 1) " " substr(rest, index(rest, "*/") + 2)
		}
		printf "%s", text
	}' "$@"
}

# A declaration begins with EIO_API and ends with a semicolon. Its name is the
# first one of ours before a parenthesis, or else, an object, the last one.
without_comments "$root"/include/eio/*.h | sed '/^[ \t]*#/d' | tr '\n' ' ' | tr ';' '\n' |
	awk '
	sub(/.*EIO_API/, "") {
		sub(/[[=].*/, "")
		if (match($0, /eio_[a-z0-9_]+ *\(/) || match($0, /eio_[a-z0-9_]+ *$/)) {
			name = substr($0, RSTART, RLENGTH)
			gsub(/[ (]/, "", name)
			print name
		}
	}' | sort >"$out/declared"
without_comments "$map" | tr -s ' \t;{}' '\n' | grep '^eio_' | sort >"$out/listed"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort >"$out/versioned"
sed 's/@.*//' "$out/versioned" | sort >"$out/exported"

bad=0
# all_in A B: every line of list A is in list B.
all_in() {
	comm -23 "$out/$1" "$out/$2" | sed "s/^/$1 but not $2: /" >"$out/odd"
	if [ -s "$out/odd" ]; then
		cat "$out/odd"
		bad=1
	fi
}
all_in declared listed
all_in listed declared
all_in declared exported
all_in exported declared
if grep -v @ "$out/versioned"; then
	echo 'check_symbols.sh: what is above has no version'
	bad=1
fi
[ -s "$out/declared" ] || {
	echo 'check_symbols.sh: no declarations found'
	bad=1
}
exit $bad
