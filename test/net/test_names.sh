#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Looking up names with a name server that counts, waits, and says nothing.
#
# Usage: test_names.sh RESOLVE HELLO
. "$(dirname "$0")/lib.sh"
resolve=$1

need_ring "$2"
needs python3
file_is /etc/nsswitch.conf 'hosts: files dns'
file_is /etc/resolv.conf 'nameserver 127.0.0.1
options timeout:15 attempts:1'
file_is /etc/hosts '127.0.0.1 localhost
192.0.2.77 two.test
192.0.2.78 two.test
192.0.2.77 two.test'
python3 "$(dirname "$0")/dns.py" 4 >"$tmp/dns.out" 2>"$tmp/dns.err" &
dns=$!
pids="$pids $dns"
await the name server -- [ -s "$tmp/dns.out" -o -s "$tmp/dns.err" ]
grep -q ready "$tmp/dns.out" || skip "no name server: $(tail -n 1 "$tmp/dns.err")"

# says STATUS TEXT RESOLVE-ARGUMENT...: what is printed, lines for printf.
says() {
	wanted=$1 text=$2
	shift 2
	exits_with "$wanted" timeout 30 "$resolve" "$@"
	# shellcheck disable=SC2059 # a format it is
	printf "$text" >"$tmp/expected"
	cmp -s "$tmp/expected" "$tmp/stdout" || {
		fail "$* prints something else"
		diff "$tmp/expected" "$tmp/stdout"
	}
}

says 0 '7.ok.test 2001:db8::7\n7.ok.test 192.0.2.7\n' 7.ok.test
says 0 'two.test 192.0.2.77\ntwo.test 192.0.2.78\n' two.test
says 1 '8.ok.test 2001:db8::8\n8.ok.test 192.0.2.8\n' none.test 8.ok.test
check what does not exist is told -- \
	grep -q -x 'resolve: none.test: Name or service not known' "$tmp/stderr"
says 0 '192.0.2.7 host7.test\n' --reverse 192.0.2.7
says 1 '192.0.2.8 host8.test\n' -r 203.0.113.1 192.0.2.8
check an address without a name is told -- \
	grep -q -x 'resolve: 203.0.113.1: Name or service not known' "$tmp/stderr"

# In order, or as they come.
slow='slow.ok.test 2001:db8::fa\nslow.ok.test 192.0.2.250\n'
quick='1.ok.test 2001:db8::1\n1.ok.test 192.0.2.1\n'
says 0 "$slow$quick" slow.ok.test 1.ok.test
says 0 "$quick$slow" --unordered slow.ok.test 1.ok.test

# The server answers only when four are asked for at a time, and it waits for a fifth.
names='' expected=''
for i in $(seq 12); do
	names="$names $i.hold.test"
	expected="$expected$i.hold.test 192.0.2.$i\\n"
done
# shellcheck disable=SC2086 # a list
says 0 "$expected" -j 4 $names

# One that is never answered is given up, keeps nobody, and not the program from ending.
says 1 "$quick" -j 1 -t 1 1.silent.test 1.ok.test
check it says so -- grep -q -x 'resolve: 1.silent.test: Connection timed out' "$tmp/stderr"

kill -TERM $dns
wait $dns
check "as many jobs as allowed: $(cat "$tmp/dns.out")" -- grep -q -x most=4 "$tmp/dns.out"

finish
