#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Usage: test_cp.sh CP HELLO
. "$(dirname "$0")/lib.sh"
cp=$(realpath "$1") || exit 1

need_ring "$2"
cd "$tmp" || exit 1

# same NAME [ARGUMENT...]: a copy of the file is what cp(1) makes of it.
same() {
	name=$1
	shift
	rm -rf ours theirs
	exits_with 0 "$cp" "$@" "$name" ours
	command cp --reflink=never "$name" theirs
	check "$name $*": same bytes -- cmp ours theirs
	check "$name $*": same size and mode -- \
		[ "$(stat -c '%s %a' ours)" = "$(stat -c '%s %a' theirs)" ]
	check "$name $*": quiet -- [ ! -s stderr ]
	blocks=$(($(stat -c %b ours) - $(stat -c %b theirs)))
	# Where a file system keeps its own count of blocks they may differ by a few.
	check "$name $*: $blocks blocks more than cp(1)" -- [ $blocks -le 64 ]
	check "$name $*: ${blocks#-} blocks less than cp(1)" -- [ $blocks -ge -64 ]
}

# past_the_cache NAME: the same, where the file system can.
head -c 5000 /dev/urandom >probe
"$cp" --direct probe direct 2>stderr
direct=$?
past_the_cache() {
	[ $direct != 0 ] || same "$1" --direct
}
check it can or it says that it cannot -- [ $direct = 0 -o -s stderr ]

# Sizes around pages, blocks of file systems and blocks of ours.
for size in 0 1 511 512 4095 4096 4097 262143 262144 262145 1000000 5000001; do
	head -c $size /dev/urandom >size-$size
	same size-$size
	same size-$size -j 1
	past_the_cache size-$size
done
head -c 40000003 /dev/urandom >large
same large
same large -j 64
same large --jobs 3

# Holes in front, in the middle, at the end, and nothing else.
truncate -s 64M all-hole
same all-hole
check a hole takes no room -- [ "$(stat -c %b ours)" -le 64 ]
printf x | dd of=hole-first bs=1 seek=10000000 status=none
same hole-first
head -c 100000 /dev/urandom >hole-last
truncate -s 20M hole-last
same hole-last
truncate -s 100000001 many-holes
for i in 0 1 5 17 18 19 60 95; do
	head -c 70000 /dev/urandom |
		dd of=many-holes bs=1000 seek=$((i * 1000 + 1)) conv=notrunc status=none
done
same many-holes
same many-holes -j 2
past_the_cache many-holes

# Permissions of a new file; those of an existing one stay.
for mode in 0 400 444 600 644 755 777 1777 2755 4755; do
	head -c 1000 /dev/urandom >mode-$mode
	chmod $mode mode-$mode
	[ -r mode-$mode ] && same mode-$mode
done
(umask 077 && "$cp" mode-777 masked)
check the umask counts -- [ "$(stat -c %a masked)" = 700 ]
chmod 640 masked
exits_with 0 "$cp" large masked
check a longer file replaces a shorter one -- cmp large masked
check and keeps its mode -- [ "$(stat -c %a masked)" = 640 ]
exits_with 0 "$cp" size-1 masked
check a shorter file replaces a longer one -- cmp size-1 masked
exits_with 0 "$cp" all-hole masked
check a hole replaces data -- cmp all-hole masked

# Into a directory, through links.
mkdir directory
exits_with 0 "$cp" size-4097 directory
check it keeps its name in a directory -- cmp size-4097 directory/size-4097
exits_with 0 "$cp" ./size-1 directory/
check a path loses its directories -- cmp size-1 directory/size-1
ln -s directory/target link
: >directory/target
exits_with 0 "$cp" large link
check a link to a file is followed -- cmp large directory/target
ln -s size-512 link-to-source
exits_with 0 "$cp" link-to-source copy
check a link to the source too -- cmp size-512 copy

# What has no size or no offsets.
exits_with 0 "$cp" /proc/self/status status
check a file of size 0 with content -- grep -q '^Name:' status
cat /proc/filesystems >expected
exits_with 0 "$cp" /proc/filesystems copy
check all of its content -- cmp expected copy
if [ -r /sys/kernel/mm/transparent_hugepage/enabled ]; then
	cat /sys/kernel/mm/transparent_hugepage/enabled >expected
	exits_with 0 "$cp" /sys/kernel/mm/transparent_hugepage/enabled copy
	check a file that is shorter than it says -- cmp expected copy
fi
mkfifo fifo
(
	sleep 0.2
	exec cat large >fifo
) &
exits_with 0 "$cp" fifo copy
check a pipe to a file, when the writer has come -- cmp large copy
cat fifo >copy &
reader=$!
sleep 0.2
exits_with 0 "$cp" large fifo
wait $reader
check a file to a pipe -- cmp large copy
# shellcheck disable=SC2002 # a pipe it has to be
cat large | "$cp" /dev/stdin copy
check from standard input -- cmp large copy
exits_with 0 "$cp" large /dev/null
exits_with 0 "$cp" /dev/null copy
check nothing from a device -- [ ! -s copy ]

# Failures: status, message, and nothing lost.
fails() {
	words=$1
	shift
	exits_with 1 "$cp" "$@"
	check "'$words' in: $(cat stderr)" -- grep -q "$words" stderr
	check one line of complaint -- [ "$(wc -l <stderr)" = 1 ]
}
command cp large precious
fails 'onto itself precious' precious precious
fails 'onto itself ./precious' precious ./precious
ln precious hard
fails 'onto itself hard' precious hard
ln -s precious soft
fails 'onto itself soft' precious soft
fails 'onto itself ./precious' precious .
check a file copied onto itself stays whole -- cmp large precious
fails 'missing.*No such file' missing copy
fails 'Is a directory' directory copy
fails 'missing/copy.*No such file' large missing/copy
fails 'large/copy.*Not a directory' size-1 large/copy
fails 'missing/.*Is a directory' size-1 missing/
mkdir directory/taken directory/taken/size-1
fails 'directory/taken/size-1.*Is a directory' size-1 directory/taken
ln -s nowhere dangling
fails 'dangling.*File exists' size-1 dangling
check nothing is made through a dangling link -- [ ! -e nowhere ]
fails 'write.*/dev/full.*No space left' large /dev/full
fails 'No such file' '' copy
fails 'No such file' size-1 ''
if [ "$(id -u)" != 0 ]; then
	fails 'mode-0.*Permission denied' mode-0 copy
	fails 'mode-444.*Permission denied' size-1 mode-444
fi
# A limit on file sizes: a new file that is not whole goes; one that was there has what fits.
: >limited
for limited in new limited; do
	(
		trap '' XFSZ
		ulimit -f 2000
		"$cp" large $limited 2>stderr
	)
	check a target that may not grow is a failure -- \
		grep -q "write.* $limited: File too large" stderr
done
check what is not whole goes -- [ ! -e new ]
check and what fits stays -- [ "$(stat -c %s limited)" -gt 0 ]

# The command line.
exits_with 0 "$cp" --help
check --help prints the usage -- grep -q '^Usage: cp' stdout
for wrong in '' one 'one two three' '-j 0 a b' '-j 65 a b' '-j x a b' '-j' '--no a b'; do
	# shellcheck disable=SC2086 # a list
	exits_with 2 "$cp" $wrong
	check "a complaint about '$wrong'" -- [ -s stderr ]
done
exits_with 0 "$cp" --progress large copy
check progress when asked for -- grep -q '100 %' stderr
check and a whole copy -- cmp large copy
printf x >-dash
exits_with 0 "$cp" -- -dash copy
check a name that begins with a dash -- cmp ./-dash copy

finish
