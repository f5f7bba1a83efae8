#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What is looked up needs no name server: numbers, localhost, and what cannot be a name. The
# rest is tested in a namespace with a name server of its own (test/net/test_names.sh).
#
# Usage: test_resolve.sh RESOLVE HELLO
. "$(dirname "$0")/lib.sh"
resolve=$(realpath "$1") || exit 1

need_ring "$2"
cd "$tmp" || exit 1

# says TEXT: what was printed, lines for printf.
says() {
	# shellcheck disable=SC2059 # a format it is
	printf "$1" >expected
	cmp -s expected stdout || {
		fail 'it prints something else'
		diff expected stdout
	}
}

# complains TEXT...: the lines of complaint, one for each.
complains() {
	check "$# complaints in: $(cat stderr)" -- [ "$(wc -l <stderr)" = $# ]
	for text in "$@"; do
		check "'$text' in: $(cat stderr)" -- grep -q "$text" stderr
	done
}

# A label of a name has at most 63 bytes.
no_name=$(printf '%070d' 0 | tr 0 a)

# Arguments
exits_with 0 "$resolve" 192.0.2.1
says '192.0.2.1 192.0.2.1\n'
complains
exits_with 0 "$resolve" 2001:db8::1 192.0.2.1 192.0.2.9 192.0.2.1
says '2001:db8::1 2001:db8::1\n192.0.2.1 192.0.2.1\n192.0.2.9 192.0.2.9\n192.0.2.1 192.0.2.1\n'
exits_with 0 "$resolve" localhost
check localhost is the loopback -- grep -q -x -e 'localhost 127.0.0.1' -e 'localhost ::1' stdout
check each address once -- [ -z "$(sort stdout | uniq -d)" ]
exits_with 0 "$resolve" -- 192.0.2.1
says '192.0.2.1 192.0.2.1\n'

# A name that is not found does not end it.
exits_with 1 "$resolve" 192.0.2.1 "$no_name" 192.0.2.2
says '192.0.2.1 192.0.2.1\n192.0.2.2 192.0.2.2\n'
complains "$no_name: "
exits_with 1 "$resolve" -u "$no_name" 192.0.2.2 "$no_name"
says '192.0.2.2 192.0.2.2\n'
complains "$no_name" "$no_name"
exits_with 1 "$resolve" ''
says ''

# Standard input
printf '192.0.2.1\n\n \t192.0.2.2 and more\r\n\t\n192.0.2.3' >names
exits_with 0 "$resolve" <names
says '192.0.2.1 192.0.2.1\n192.0.2.2 192.0.2.2\n192.0.2.3 192.0.2.3\n'
exits_with 0 "$resolve" </dev/null
says ''
seq 1 8000 | awk '{ printf "10.0.%d.%d\n", $1 / 256, $1 % 256 }' >names
sed 's/.*/& &/' names >expected
for jobs in 1 3 32; do
	exits_with 0 "$resolve" -j $jobs <names
	check "the order of the input with $jobs jobs" -- cmp expected stdout
done
exits_with 0 "$resolve" --unordered <names
sort stdout >sorted
sort expected >expected-sorted
check every name without an order -- cmp expected-sorted sorted
head -c 4095 /dev/zero | tr '\0' x >long
exits_with 1 "$resolve" <long
complains "xxx: "
echo >>long
exits_with 1 "$resolve" <long
complains "xxx: "
head -c 100000 /dev/zero | tr '\0' x >long
exits_with 1 "$resolve" <long
complains 'standard input: File name too long'

# Who reads line by line is answered line by line.
mkfifo in out
"$resolve" <in >out 2>stderr &
pids="$pids $!"
exec 3>in 4<out
for name in 192.0.2.1 192.0.2.2; do
	echo "$name" >&3
	read -r line <&4
	check an answer before the next name -- [ "$line" = "$name $name" ]
done
exec 3>&- 4<&-
wait $!
check "it ends with its input: $(cat stderr)" -- [ $? = 0 ]

# Names of addresses
exits_with 1 "$resolve" --reverse nonsense 1.2.3 "$no_name"
says ''
complains 'nonsense: Not an address' '1.2.3: Not an address' "$no_name: Not an address"

# Failures
"$resolve" 192.0.2.1 >/dev/full 2>stderr
check a full target is a failure -- [ $? = 1 ]
complains 'No space left'
"$resolve" <names 2>stderr | head -n 1 >stdout
says '10.0.0.1 10.0.0.1\n'
complains 'Broken pipe'

# The command line
exits_with 0 "$resolve" --help
check --help prints the usage -- grep -q '^Usage: resolve' stdout
for wrong in '-j 0' '-j 33' '-j x' '-j 1x' '-j' '-t 0' '-t -1' '-t 86401' '-t x' '--no'; do
	# shellcheck disable=SC2086 # a list
	exits_with 2 "$resolve" $wrong 192.0.2.1
	check "a complaint about '$wrong'" -- [ -s stderr ]
	check "nothing done with '$wrong'" -- [ ! -s stdout ]
done
exits_with 0 "$resolve" --jobs=32 --timeout=86400 192.0.2.1
says '192.0.2.1 192.0.2.1\n'

finish
