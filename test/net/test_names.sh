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
options timeout:30 attempts:1'
file_is /etc/hosts '127.0.0.1 localhost
192.0.2.77 two.test
192.0.2.78 two.test
192.0.2.77 two.test'
python3 "$(dirname "$0")/dns.py" 4 >"$tmp/dns.out" 2>"$tmp/dns.err" &
dns=$!
pids="$pids $dns"
await the name server -- is_ready "$tmp/dns.out" "$dns"
grep -q ready "$tmp/dns.out" || skip "no name server: $(tail -n 1 "$tmp/dns.err")"

# prints TEXT WORDS...: that is what was printed, lines for printf.
prints() {
	# shellcheck disable=SC2059 # a format it is
	printf "$1" >"$tmp/expected"
	shift
	cmp -s "$tmp/expected" "$tmp/stdout" || {
		fail "$* prints something else"
		diff "$tmp/expected" "$tmp/stdout"
	}
}

# says STATUS TEXT RESOLVE-ARGUMENT...
says() {
	wanted=$1 text=$2
	shift 2
	exits_with "$wanted" timeout 100 "$resolve" "$@"
	prints "$text" "$@"
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
timeout 100 "$resolve" 2.slow.test 1.ok.test >"$tmp/stdout" &
pids="$pids $!"
await the quicker name -- grep -qsx 1.ok.test "$tmp/dns.out"
sleep 0.1 # for its answer; if that comes later it is in order as well
"$resolve" 2.go.test 2>/dev/null
wait $!
quick='1.ok.test 2001:db8::1\n1.ok.test 192.0.2.1\n'
prints "2.slow.test 2001:db8::2\n2.slow.test 192.0.2.2\n$quick" in order

mkfifo "$tmp/found"
timeout 100 "$resolve" --unordered 3.slow.test 1.ok.test >"$tmp/found" &
pids="$pids $!"
{
	head -n 2
	"$resolve" 3.go.test 2>/dev/null
	cat
} <"$tmp/found" >"$tmp/stdout"
prints "${quick}3.slow.test 2001:db8::3\n3.slow.test 192.0.2.3\n" as they come

# The server answers only when four are asked for at a time, and it waits for a fifth.
names='' expected=''
for i in $(seq 12); do
	names="$names $i.hold.test"
	expected="$expected$i.hold.test 192.0.2.$i\\n"
done
# shellcheck disable=SC2086 # a list
says 0 "$expected" -j 4 $names

# One that is never answered is given up, keeps nobody, and not the program from ending.
# Nor is a name that is answered, unless the machine is too slow for the limit.
for limit in 1 5 25; do
	"$resolve" -j 1 -t $limit 1.silent.test 1.ok.test >"$tmp/stdout" 2>"$tmp/stderr"
	grep -q '^resolve: 1.ok.test: ' "$tmp/stderr" || break
done
prints "$quick" after a silent one
check it says so -- grep -q -x 'resolve: 1.silent.test: Connection timed out' "$tmp/stderr"

kill -TERM $dns
wait $dns
check "as many jobs as allowed: $(cat "$tmp/dns.out")" -- grep -q -x most=4 "$tmp/dns.out"

finish
