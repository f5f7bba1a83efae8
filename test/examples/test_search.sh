#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_search.sh SEARCH HELLO SOURCES
. "$(dirname "$0")/lib.sh"
search=$(realpath "$1") || exit 1
sources=$(realpath "$3") || exit 1
export LC_ALL=C

ours=

need_ring "$2"
command -v grep >/dev/null || exit 77
cd "$tmp" || exit 1

# same ARGUMENT...: the lines that grep -r finds, and its status, with options of ours in $ours.
# Newer ones say on standard error that a binary file matches.
same() {
	grep -r "$@" >"$tmp/theirs" 2>"$tmp/theirs.err"
	theirs=$?
	[ -s "$tmp/theirs.err" ] && sed -n 's/^grep: \(.*\): binary file matches$/Binary file \1 matches/p' \
		"$tmp/theirs.err" >>"$tmp/theirs"
	# shellcheck disable=SC2086 # options
	exits_with $theirs "$search" $ours "$@"
	sort "$tmp/theirs" >"$tmp/theirs.sorted"
	sort "$tmp/stdout" | cmp -s - "$tmp/theirs.sorted" || {
		fail "not what grep finds: $*"
		sort "$tmp/stdout" | diff - "$tmp/theirs.sorted" | head -5
	}
	[ $theirs = 2 ] || check "quiet: $*" -- [ ! -s "$tmp/stderr" ]
}

# Sources, in whatever state they are, but nothing that changes meanwhile; so many files that there
# are more batches than are under way at a time.
mkdir -p sources/test work
cp -r "$sources/lib" "$sources/include" "$sources/examples" "$sources/doc" sources
cp -r "$sources/test/core" "$sources/test/io" sources/test
cd sources || exit 1
check there are enough files -- [ "$(find . -type f | wc -l)" -gt 320 ]

# Words, as they stand.
same -nF eio_ll_in_thread lib include test
same -F 'struct eio_fd' .
same -nF '/* ' lib
same -lF EIO_API include
same -cF return lib
same -vF e include
same -nvF ' ' doc
same -iF EIO_FD include lib
same -niF 'a.b*c' .
same -F nothing_of_this_name_is_there_"$$" .

# Regular expressions.
same -nE 'eio_fs_[a-z]+_dir' .
same -E '^#include <(eio|sys)/' lib
same -nE '^$' lib
same -cE '^' include
same -nE '[[:space:]]+$' .
same -nE '(goto|while) ?\(' lib test
same -niE 'TODO|fixme' .
same -nE 'a[[:space:]]b' .
same -nE '^.{99,}$' .
same -nvE '[a-z]' lib
same -lvE 'int|char' lib
same -E '\bring\b' doc
same -nE 'x*' lib/base
same -ivE 'E' include

# Ends of the command line.
same -F eio_fs_stat lib/io/fs.c
same -nF eio_fs_stat lib/io/fs.c lib/io/fs.h
same -F eio_fs_stat lib/ include//
same -cF eio_fs_stat lib/io/fs.c
same -F -- -1 lib
same -F eio_fs_stat nothing lib
check a missing file has its name -- grep -q '^search: nothing: No such file' "$tmp/stderr"
for ours in '-j 1 -t 1' '-j 2 -t 3' '-j 64 -t 16'; do
	same -nF return .
done
ours=

# The order is that of names, directory by directory, whoever was faster; each file's in one piece.
for _ in 1 2 3; do
	exits_with 0 "$search" -t 4 -nF e .
	cp "$tmp/stdout" "$tmp/once"
	exits_with 0 "$search" -t 1 -j 1 -nF e .
	check always the same order -- cmp "$tmp/stdout" "$tmp/once"
done
exits_with 0 "$search" -l '' lib
check sorted by path -- sort -c "$tmp/stdout"

# Odd files.
cd ../work || exit 1
printf 'text\nword\0word\n' >binary
printf 'nothing\0here\n' >binary-without
head -c 100000 /dev/zero | tr '\0' 'x' >long
printf 'word' >>long
head -c 300000 /dev/zero | tr '\0' 'y' >longer
printf 'word\nword' >>longer
seq 40000 >lines
: >empty
printf '\n' >newline
printf '\n\n\nword\n\n' >newlines
printf 'word' >unended
mkdir -p 'a dir/b' "$(printf 'new\nline')"
printf 'word\n' >"a dir/b/$(printf '\377\376')"
printf 'word\n' >'a dir/-n'
printf 'word\n' >"$(printf 'new\nline')/file"
ln -s . loop
ln -s .. 'a dir/up'
ln -s unended link
ln -s nowhere dangling
mkfifo fifo
for options in -nF -n -c -l -v -nv -lv -cv -ni; do
	same $options word .
	# Of this grep says nothing at all.
	[ "$options" = -cv ] || same $options '' .
done
same -n '^' .
same -n '$' .
same -nE '^$' .
same -nE '99$' lines .
same -cF 1 lines
same word link
same word binary longer
same word unended
exits_with 0 "$search" word
grep -r word 2>/dev/null | grep -v 'binary' | sort >"$tmp/theirs"
grep -v '^Binary' "$tmp/stdout" | sort >"$tmp/ours"
check without a path there is no prefix -- cmp "$tmp/ours" "$tmp/theirs"

# What cannot be read is told and the rest is searched.
mkdir closed
printf 'word\n' >closed/file
printf 'word\n' >closed-file
chmod 0 closed closed-file
if [ ! -r closed-file ]; then
	same word .
	check a file without permission has its name -- \
		grep -q '^search: ./closed-file: Permission denied' "$tmp/stderr"
	check a directory too -- grep -q '^search: ./closed: Permission denied' "$tmp/stderr"
fi
chmod 700 closed closed-file

# Files come and go, directories become links.
mkdir -p moving/a moving/b
(
	while :; do
		: >moving/a/x
		printf 'word\n' >moving/a/y
		ln -s / moving/z
		rm moving/a/x moving/z
		mkdir moving/z
		rm moving/a/y
		rmdir moving/z
	done
) 2>/dev/null &
mover=$!
pids="$pids $mover"
for _ in $(seq 10); do
	"$search" word moving >"$tmp/stdout" 2>"$tmp/stderr"
	check nothing but the file is found -- [ "$(grep -vc '^moving/a/y:word$' "$tmp/stdout")" = 0 ]
	check nothing worse than that it is gone -- \
		[ "$(grep -vc 'No such file\|Not a directory\|leads\|cross-device\|loop' "$tmp/stderr")" = 0 ]
done
kill "$mover"
wait "$mover" 2>/dev/null

# A FIFO that takes the place of a file between its listing and its opening is not waited for. A
# large file is searched between the two.
mkdir swapped
seq -f swapped/%g 200 | xargs touch
truncate -s 32M swapped/0
python3 - <<'END' &
import os
while True:
    for make in os.mkfifo, os.mknod:
        for i in range(200, 0, -1):
            make("swap")
            os.rename("swap", "swapped/%d" % i)
END
swapper=$!
pids="$pids $swapper"
for _ in $(seq 4); do
	timeout 60 "$search" -j 1 -t 1 word swapped >"$tmp/stdout" 2>"$tmp/stderr"
	[ $? != 124 ] || fail 'a FIFO was waited for'
done
check they were swapped all the time -- kill "$swapper"
wait "$swapper" 2>/dev/null

# More output than memory is to hold, and a pipe, in the middle of the list; and a closed pipe.
mkdir much
head -c 60000 /dev/zero | tr '\0' '\n' >much/b
printf '\n' >much/a
printf '\n' >much/c
same -n '' much
ours='-t 2'
same -nv x much
ours=
(
	"$search" '' much
	echo $? >"$tmp/status"
) | head -1 >/dev/null
status=$(cat "$tmp/status")
check "ended by a closed pipe, not $status" -- [ "$status" = 141 ]

# It does not read what it writes.
"$search" word . >result 2>"$tmp/stderr"
check its own output is left out -- [ "$(grep -c '^./result' result)" = 0 ]

# The command line.
exits_with 0 "$search" --help
check --help prints the usage -- grep -q '^Usage: search' "$tmp/stdout"
for wrong in '' '-F' '-j 0 x' '-j 257 x' '-t 0 x' '-t 17 x' '-j x y' '-j' '--no x' '('; do
	# shellcheck disable=SC2086 # a list
	exits_with 2 "$search" $wrong
	check "a complaint about '$wrong'" -- [ -s "$tmp/stderr" ]
done
exits_with 2 "$search" "$(printf 'a\nb')" .
check a pattern of two lines is none -- grep -q 'one line' "$tmp/stderr"

finish
