#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_usage.sh USAGE HELLO SOURCES
. "$(dirname "$0")/lib.sh"
usage=$(realpath "$1") || exit 1
sources=$(realpath "$3") || exit 1
export LC_ALL=C

need_ring "$2"
command -v du >/dev/null || exit 77
cd "$tmp" || exit 1

# same ARGUMENT...: what du -k says, in any order, and its status. Some file systems give files
# their blocks later: what du says before and after is to be the same.
same() {
	for _ in $(seq 100); do
		du -k "$@" >theirs 2>theirs.err
		theirs=$?
		exits_with $theirs "$usage" "$@"
		du -k "$@" 2>>theirs.err | cmp -s - theirs && break
	done
	sort theirs >theirs.sorted
	sort stdout | cmp -s - theirs.sorted || {
		fail "not what du says: $*"
		sort stdout | diff - theirs.sorted | head -5
	}
	[ $theirs = 0 ] && check "quiet: $*" -- [ ! -s stderr ]
}

mkdir tree
cp -r "$sources/lib" "$sources/test" tree
same tree
same -s tree
same -s tree/lib/io/fs.c
same tree tree/lib tree/test
same tree/lib tree
same tree/lib/io/ tree/lib/
exits_with 0 "$usage" -j 1 tree
cp stdout one
exits_with 0 "$usage" -j 64 tree
check however many directories are read at once -- sh -c 'sort one >1; sort stdout | cmp - 1'

# Directories come after all that is below them.
awk '{ for (path in seen) if (index(path "/", $2 "/") != 1 && index($2 "/", path "/") == 1) exit 1
	seen[$2] }' stdout || fail 'a directory came before one below it'

# Files with several names, holes, links, and what is no file.
mkdir -p odd/a/b odd/c "$(printf 'odd/new\nline')"
head -c 50000 /dev/urandom >odd/a/file
ln odd/a/file odd/a/b/again
ln odd/a/file odd/c/again
truncate -s 100M odd/c/hole
head -c 10000 /dev/urandom >"$(printf 'odd/new\nline/\377')"
ln -s .. odd/c/up
ln -s nowhere odd/dangling
mkfifo odd/fifo
same -s odd
same -s odd/a odd/c
same -s odd/a/file odd/c/again
same -s odd/c/up odd/fifo
exits_with 0 "$usage" odd
sort stdout >ours
du -k odd | sort | grep -v again >theirs
# Which of the directories a file counts in is a matter of order.
check the whole is the same -- [ "$(grep -c "	odd$" ours)$(grep "	odd$" ours)" = "1$(grep "	odd$" theirs)" ]
(cd odd/a && exits_with 0 "$usage" && tail -1 "$tmp/stdout" >"$tmp/here")
check the working directory by default -- [ "$(cat here)" = "$(cd odd/a && du -k | tail -1)" ]

# A large directory: more than one buffer.
mkdir odd/many
seq -f 'odd/many/a-long-name-for-a-file-%g' 3000 | xargs touch
same -s odd/many

# What cannot be read is told, and the rest is counted.
same -s nothing odd/a
check a missing file has its name -- grep -q '^usage: nothing: No such file' stderr
mkdir odd/closed odd/searched
: >odd/searched/file
chmod 0 odd/closed
chmod 400 odd/searched
if [ ! -r odd/closed ]; then
	same -s odd
	check a directory without permission has its name -- grep -q 'odd/closed: Permission' stderr
	check so has a file -- grep -q 'odd/searched/file: Permission' stderr
fi
chmod 700 odd/closed odd/searched

# A pipe that nobody has open to read.
mkfifo pipe
exec 3<>pipe 4>pipe 3<&-
"$usage" tree >&4 3>&- 4>&-
status=$?
exec 4>&-
check "ended by a closed pipe, not $status" -- [ "$status" = 141 ]

exits_with 0 "$usage" --help
check --help prints the usage -- grep -q '^Usage: usage' stdout
for wrong in '-j 0' '-j 65' '-j x' '-j' '--no'; do
	# shellcheck disable=SC2086 # a list
	exits_with 2 "$usage" $wrong
	check "a complaint about '$wrong'" -- [ -s stderr ]
done

finish
