#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Checks that no include goes upward:
#   0 lib/base lib/arch   1 lib/core   2 lib/uring   3 lib/io   4 lib/mock lib/run.c
# Public headers have the layer of what implements them and include nothing private. Only
# lib/uring and <eio/low_level.h> include liburing.
#
# Usage: tools/check_layers.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"

find lib include/eio -name '*.[chS]' -exec awk '
function layer(path) {
	if (path ~ /^lib\/(base|arch)\//) return 0
	if (path ~ /^lib\/core\//) return 1
	if (path ~ /^lib\/uring\//) return 2
	if (path ~ /^lib\/io\//) return 3
	if (path ~ /^lib\/mock\// || path == "lib/run.c") return 4
	if (path ~ /^include\/eio\/(api|cancel|domain|error|event|executor|fiber|local|log|pool|promise|seq|signal|stream|switch|sync|time)\.h$/)
		return 1
	if (path ~ /^include\/eio\/(addr|child|config|fd|ll_[a-z]+|low_level)\.h$/) return 2
	if (path ~ /^include\/eio\/(eio|mock|run)\.h$/) return 4
	if (path ~ /^include\/eio\//) return 3
	return -1
}

function exists(path,    line, found) {
	found = (getline line <path) >= 0
	close(path)
	return found
}

# The file that an include means: next to the including one, else below lib.
function resolve(name, from,    path) {
	if (name ~ /^eio\//) return "include/" name
	path = from
	sub(/[^\/]*$/, name, path)
	while (sub(/[^\/]+\/\.\.\//, "", path))
		;
	return exists(path) ? path : "lib/" name
}

function complain(what) {
	print FILENAME ":" FNR ": " what
	bad = 1
}

FNR == 1 {
	own = layer(FILENAME)
	public = FILENAME ~ /^include\//
	if (own < 0) complain("belongs to no layer")
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	name = $0
	sub(/^[^"<]*["<]/, "", name)
	sub(/[">].*/, "", name)

	if (name ~ /^(liburing|linux\/io_uring)/) {
		if (FILENAME !~ /^lib\/uring\// && FILENAME != "include/eio/low_level.h")
			complain("only lib/uring and low_level.h include " name)
	} else if ($0 ~ /"/ || name ~ /^eio\//) {
		path = resolve(name, FILENAME)
		if (public && path !~ /^include\//)
			complain("a public header includes the private " name)
		else if (!exists(path) || layer(path) < 0)
			complain("includes " name ", which is on no layer")
		else if (layer(path) > own)
			complain("layer " own " includes " name " of layer " layer(path))
	}
}

END { exit bad }
' {} +
